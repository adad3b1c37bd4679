//! What bounds a connection, all connections, and the memory they share.

mod harness;

use std::collections::HashMap;
use std::io::Read;
use std::time::{Duration, Instant};

use harness::{Frame, Net, options, read_frame, request, send};
use mantou_net_core::rows::{CloseReason, event_kind};
use mantou_net_core::{NetworkOptions, PlanRow};

/// Takes frames until no more come.
fn all_frames(net: &mut Net) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(event) = net.next_within(Duration::from_millis(30)) {
        assert_eq!(event.kind(), event_kind::FRAME);
        let [
            _,
            connection,
            generation,
            offset,
            length,
            api,
            correlation_id,
            sequence,
        ] = event.words;
        let frame = Frame {
            connection,
            generation,
            offset,
            length,
            api,
            correlation_id,
            sequence,
        };
        frames.push(frame);
    }
    frames
}

fn skip_all(net: &Net, frames: &[Frame]) {
    for frame in frames {
        let skip = PlanRow::skip(frame.connection, frame.generation, frame.sequence);
        net.submit(&[skip, PlanRow::release(frame.offset)], &[]);
    }
}

#[test]
fn a_full_quota_stops_the_reading_until_frames_are_released() {
    let mut net = Net::new(NetworkOptions {
        connection_quota_bytes: 100_000,
        ..options()
    });
    let (client, ..) = net.opened();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for id in 0..300 {
            send(&mut writer, &request(0, id, 10_000 - 12));
        }
    });
    let mut seen = 0;
    while seen < 300 {
        let mut frames = Vec::new();
        let mut held = 0;
        // A run counts whole until all of its frames are released, and it may still be filled with
        // new ones meanwhile: up to half of the quota can be taken up by frames that are done.
        while held < 50_000 && seen < 300 {
            let frame = net.frame();
            held += frame.length + 4;
            seen += 1;
            frames.push(frame);
        }
        let beyond = all_frames(&mut net);
        held += beyond.iter().map(|frame| frame.length + 4).sum::<u32>();
        // No more than what one run holds beyond the quota.
        assert!(held <= 150_000, "{held} bytes were held at once");
        seen += beyond.len();
        skip_all(&net, &frames);
        skip_all(&net, &beyond);
    }
    sender.join().unwrap();
    net.finish();
}

#[test]
fn a_reference_of_another_counts_for_the_quota_too() {
    let mut net = Net::new(NetworkOptions {
        connection_quota_bytes: 50_000,
        ..options()
    });
    let (mut client, ..) = net.opened();
    send(&mut client, &request(0, 0, 49_988));
    let first = net.frame();
    // As the log store does, until the bytes are written.
    net.arena.retain(first.offset + 100);
    skip_all(&net, &[first]);
    send(&mut client, &request(0, 1, 10));
    net.quiet();
    net.arena.release(first.offset + 100);
    let second = net.frame();
    net.echo(&second);
    net.finish();
}

#[test]
fn output_that_nobody_takes_stops_the_reading() {
    let mut net = Net::new(NetworkOptions {
        output_quota_bytes: 300_000,
        connection_quota_bytes: 32 << 10,
        ..options()
    });
    let (mut client, c, g) = net.opened();
    let answer = vec![7; 100_000];
    let bytes: Vec<u8> = (0..500).flat_map(|id| request(0, id, 3000)).collect();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || send(&mut writer, &bytes));
    let mut answered = 0;
    let mut answer_all = |net: &mut Net| {
        let before = answered;
        while let Some(event) = net.next_within(Duration::from_millis(100)) {
            let [kind, _, _, offset, .., sequence] = event.words;
            assert_eq!(kind, event_kind::FRAME);
            let rows = [
                PlanRow::respond(c, g, sequence, 1, 100_000),
                PlanRow::segment_bytes(0, 100_000),
                PlanRow::release(offset),
            ];
            net.submit(&rows, &answer);
            answered += 1;
        }
        answered - before
    };
    let first = answer_all(&mut net);
    assert!(
        (3..400).contains(&first),
        "{first} requests were read without an answer taken"
    );
    let receiver = std::thread::spawn(move || {
        for _ in 0..500 {
            assert!(read_frame(&mut client) == vec![7; 100_000]);
        }
        client
    });
    let mut later = 0;
    let deadline = Instant::now() + harness::DEADLINE;
    while first + later < 500 {
        assert!(
            Instant::now() < deadline,
            "stuck after {later} more answers"
        );
        later += answer_all(&mut net);
    }
    sender.join().unwrap();
    drop(receiver.join().unwrap());
    net.finish();
}

#[test]
fn requests_without_an_answer_are_bounded() {
    let mut net = Net::new(NetworkOptions {
        unanswered_max: 20,
        ..options()
    });
    let (mut client, ..) = net.opened();
    for id in 0..100 {
        // Larger than a run holds many of, so that the reading stops near the limit.
        send(&mut client, &request(0, id, 3000));
    }
    let mut seen = 0;
    while seen < 100 {
        let frames = all_frames(&mut net);
        assert!(frames.len() <= 30, "{} at once", frames.len());
        for frame in &frames {
            net.release(frame);
        }
        seen += frames.len();
        for frame in &frames {
            net.respond(frame, b"");
        }
    }
    for _ in 0..100 {
        assert!(read_frame(&mut client).is_empty());
    }
    net.finish();
}

#[test]
fn a_muted_connection_is_not_read() {
    let mut net = Net::new(options());
    let (mut client, c, g) = net.opened();
    let started = Instant::now();
    net.submit(&[PlanRow::mute(c, g, 250), PlanRow::mute(c, g, 50)], &[]);
    // The row is a message to the reactor; another connection's round trip comes behind it.
    let (mut other, ..) = net.opened();
    send(&mut other, &request(0, 0, 0));
    let frame = net.frame();
    net.echo(&frame);
    send(&mut client, &request(0, 1, 0));
    let frame = net.frame();
    assert_eq!(frame.connection, c);
    assert!(started.elapsed() >= Duration::from_millis(250));
    net.echo(&frame);
    net.finish();
}

#[test]
fn a_full_arena_makes_connections_wait_and_nothing_else() {
    // 1 MiB: 448 KiB for everybody, 512 KiB for the first one that waits.
    let mut net = Net::with(options(), 1 << 20, 1024, 400_000);
    let mut clients: Vec<_> = (0..12).map(|_| net.opened().0).collect();
    let mut senders = Vec::new();
    for (index, client) in clients.iter().enumerate() {
        let mut writer = client.try_clone().unwrap();
        senders.push(std::thread::spawn(move || {
            for id in 0..20 {
                let size = [390_000, 100, 60_000, 200_000][(id + index) % 4];
                send(&mut writer, &request(0, id as u32, size));
            }
        }));
    }
    let mut seen = HashMap::new();
    let mut total = 0;
    while total < 12 * 20 {
        // What fits is there at once; the rest must follow when it is released, not before.
        let mut frames = vec![net.frame()];
        frames.extend(all_frames(&mut net));
        total += frames.len();
        for frame in frames {
            let next = seen.entry(frame.connection).or_insert(0);
            assert_eq!(frame.correlation_id, *next);
            *next += 1;
            assert!(
                net.bytes(&frame)[8..] == request(0, *next - 1, frame.length as usize - 8)[12..]
            );
            skip_all(&net, &[frame]);
        }
    }
    senders
        .into_iter()
        .for_each(|sender| sender.join().unwrap());
    clients.clear();
    net.finish();
}

/// One connection fills what is there for everybody; a frame of another one gets into the reserve.
/// Its space must come free with its release, although the next frame has arrived and waits.
fn reserve_comes_free(first_bytes: usize, second_bytes: usize) {
    let mut net = Net::with(options(), 1 << 20, 1024, 700_000);
    let (mut filler, ..) = net.opened();
    let (client, ..) = net.opened();
    send(&mut filler, &request(0, 0, 320 * 1024 - 12));
    let kept = net.frame();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let bytes = [request(0, 1, first_bytes), request(0, 2, second_bytes)].concat();
        send(&mut writer, &bytes);
    });
    let frame = net.frame();
    assert_eq!(frame.correlation_id, 1);
    net.quiet();
    skip_all(&net, &[frame]);
    let frame = net.frame();
    assert_eq!(frame.correlation_id, 2);
    skip_all(&net, &[frame, kept]);
    sender.join().unwrap();
    net.finish();
}

#[test]
fn nothing_that_waits_stays_in_the_reserve() {
    reserve_comes_free(390_000, 390_000);
    // The largest frame there may be needs the whole reserve.
    reserve_comes_free(100, 640 * 1024 - 12);
}

#[test]
fn what_the_broker_allocates_has_a_part_of_its_own() {
    let mut net = Net::with(options(), 1 << 20, 1024, 400_000);
    let (mut client, ..) = net.opened();
    let (mut second, ..) = net.opened();
    send(&mut client, &request(0, 0, 300_000));
    send(&mut second, &request(0, 0, 100_000));
    let frames = [net.frame(), net.frame()];
    // The general zone is nearly used up by frames; 64 KiB are left for us alone.
    let mut runs = Vec::new();
    while let Some(run) = net.arena.allocate(16_384) {
        runs.push(run);
    }
    assert!(runs.len() >= 4, "{} runs", runs.len());
    assert!(net.arena.allocate(1).is_none());
    runs.into_iter().for_each(|run| net.arena.release(run));
    frames.iter().for_each(|frame| net.echo(frame));
    net.finish();
}

#[test]
fn half_frames_do_not_keep_the_arena_from_others() {
    let mut net = Net::with(options(), 1 << 20, 1024, 400_000);
    let mut stuck = Vec::new();
    for _ in 0..3 {
        let (mut client, ..) = net.opened();
        send(&mut client, &request(0, 0, 390_000)[..1000]);
        stuck.push(client);
    }
    let (client, connection, _) = net.opened();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || send(&mut writer, &request(0, 0, 390_000)));
    loop {
        let event = net.next();
        if event.kind() == event_kind::FRAME {
            assert_eq!(event.connection(), connection);
            net.arena.release(event.words[3]);
            break;
        }
        assert_eq!(event.kind(), event_kind::CLOSED);
        assert_eq!(event.words[4], CloseReason::Idle as u32);
    }
    sender.join().unwrap();
    drop((stuck, client));
    net.finish();
}

#[test]
fn connections_are_limited_in_all_and_per_address() {
    for (all, per_ip) in [(3, 100), (100, 3)] {
        let mut net = Net::new(NetworkOptions {
            connections_max: all,
            connections_per_ip_max: per_ip,
            ..options()
        });
        let mut clients: Vec<_> = (0..3).map(|_| net.opened().0).collect();
        for refused in 1..=5 {
            let mut client = net.client();
            assert!(harness::read_end(&mut client).is_empty());
            net.until("counting", || net.network.stats().refused_total == refused);
        }
        assert_eq!(net.network.stats().connections, 3);
        clients.pop();
        net.expect(event_kind::CLOSED);
        net.until("the seat coming free", || {
            net.network.stats().connections == 2
        });
        let (client, ..) = net.opened();
        clients.push(client);
        assert_eq!(net.network.stats().accepted_total, 4);
        net.finish();
    }
}

#[test]
fn a_slow_reader_is_closed_and_its_memory_given_back() {
    let mut net = Net::new(NetworkOptions {
        idle_timeout_ms: 300,
        ..options()
    });
    let (mut client, c, g) = net.opened();
    send(&mut client, &request(0, 0, 0));
    let frame = net.frame();
    net.pins.add(1, harness::file(32 << 20, 1).0);
    let rows = [
        PlanRow::respond(c, g, 0, 1, 32 << 20),
        PlanRow::segment_file(1, 0, 32 << 20),
    ];
    net.submit(&rows, &[]);
    net.release(&frame);
    // Reading on keeps it alive, even in steps at which the socket does not become writable.
    let mut some = vec![0; 400 << 10];
    for _ in 0..8 {
        client.read_exact(&mut some).unwrap();
        assert!(net.next_within(Duration::from_millis(150)).is_none());
    }
    net.expect_closed(c, g, CloseReason::Idle);
    net.finish();
}
