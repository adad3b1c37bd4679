//! How connections begin and end.

mod harness;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::{DEADLINE, Net, options, read_frame, request, send};
use mantou_net_core::rows::{CloseReason, event_kind};
use mantou_net_core::{ListenOptions, NetworkOptions, PlanRow};

#[test]
fn an_idle_connection_is_closed() {
    let mut net = Net::new(NetworkOptions {
        idle_timeout_ms: 200,
        ..options()
    });
    let started = Instant::now();
    let (mut client, c, g) = net.opened();
    let (mut busy, ..) = net.opened();
    send(&mut busy, &request(0, 0, 0));
    let frame = net.frame();
    net.expect_closed(c, g, CloseReason::Idle);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(harness::read_end(&mut client).is_empty());
    // Who waits for an answer of ours is not idle, whatever time that takes.
    assert!(net.next_within(Duration::from_millis(400)).is_none());
    net.echo(&frame);
    read_frame(&mut busy);
    net.expect_closed(frame.connection, frame.generation, CloseReason::Idle);
    net.finish();
}

#[test]
fn a_frame_that_never_ends_is_given_up() {
    let mut net = Net::new(NetworkOptions {
        frame_timeout_ms: 200,
        ..options()
    });
    for sent in [1, 4, 6, 500] {
        let (mut client, c, g) = net.opened();
        send(&mut client, &request(0, 0, 1000)[..sent]);
        net.expect_closed(c, g, CloseReason::Idle);
    }
    // Bytes that trickle in do not help.
    let (mut client, c, g) = net.opened();
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let sender = std::thread::spawn(move || {
        for byte in request(0, 0, 100_000) {
            if stop.load(Ordering::SeqCst) || client.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
    });
    net.expect_closed(c, g, CloseReason::Idle);
    done.store(true, Ordering::SeqCst);
    sender.join().unwrap();
    // While we do not read, the peer cannot be late.
    let (mut client, c, g) = net.opened();
    let before = net.network.stats().received_bytes_total;
    send(&mut client, &request(0, 0, 100)[..50]);
    net.until("half a frame", || {
        net.network.stats().received_bytes_total == before + 50
    });
    net.submit(&[PlanRow::mute(c, g, 600)], &[]);
    assert!(net.next_within(Duration::from_millis(500)).is_none());
    send(&mut client, &request(0, 0, 100)[50..]);
    let frame = net.frame();
    net.echo(&frame);
    net.finish();
}

#[test]
fn every_opened_has_one_closed_and_frames_lie_between() {
    for reactors in [1, 3] {
        let mut net = Net::new(NetworkOptions {
            reactors,
            ..options()
        });
        let address = net.address;
        let rounds = 300;
        let storms: Vec<_> = (0..4)
            .map(|seed: u32| {
                std::thread::spawn(move || {
                    for round in 0..rounds {
                        let mut client = harness::connect(address);
                        let bytes = [request(0, 0, 30), request(0, 1, 40_000)].concat();
                        let cut = (round * 7919 + seed as usize * 31) % bytes.len();
                        // The other side may be gone already.
                        let _ = client.write_all(&bytes[..cut]);
                        if round % 3 == 0 {
                            harness::reset(client);
                        }
                    }
                })
            })
            .collect();
        let mut live = HashMap::new();
        let mut closed = 0;
        while closed < 4 * rounds {
            let event = net.next();
            let name = (event.connection(), event.generation());
            match event.kind() {
                event_kind::OPENED => assert_eq!(live.insert(name, 0), None),
                event_kind::FRAME => {
                    let frames = live.get_mut(&name).expect("a frame of no connection");
                    assert_eq!(event.words[7], *frames);
                    *frames += 1;
                    let row = PlanRow::respond(name.0, name.1, event.words[7], 1, 9);
                    let rows = [
                        row,
                        PlanRow::segment_bytes(0, 9),
                        PlanRow::release(event.words[3]),
                    ];
                    net.submit(&rows, b"something");
                }
                event_kind::CLOSED => {
                    live.remove(&name).expect("closed without being open");
                    assert_eq!(event.words[4], CloseReason::Peer as u32);
                    closed += 1;
                }
                _ => panic!("{event:?}"),
            }
        }
        storms.into_iter().for_each(|storm| storm.join().unwrap());
        assert!(live.is_empty());
        net.quiet();
        net.finish();
    }
}

#[test]
fn outbound_connections_send_requests_and_get_answers() {
    for host in ["127.0.0.1", "localhost"] {
        let mut net = Net::new(options());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        net.network
            .connect(host, listener.local_addr().unwrap().port(), 42);
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let event = net.expect(event_kind::CONNECTED);
        let [_, c, g, id, ..] = event.words;
        assert_eq!(id, 42);
        let info = net.network.describe(c, g).unwrap();
        assert_eq!(
            (info.listener_id, info.remote),
            (42, listener.local_addr().unwrap())
        );

        let (file, content) = harness::file(100_000, 1);
        net.pins.add(1, file);
        let rows = [
            PlanRow::send(c, g, 1, 5),
            PlanRow::segment_bytes(0, 5),
            PlanRow::send(c, g, 2, 100_002),
            PlanRow::segment_bytes(5, 2),
            PlanRow::segment_file(1, 0, 100_000),
        ];
        net.submit(&rows, b"firstno");
        assert_eq!(read_frame(&mut peer), b"first");
        assert!(read_frame(&mut peer) == [b"no", &content[..]].concat());

        // An answer begins with its correlation id and may be nothing else.
        for (sequence, length) in [4usize, 100, 70_000].into_iter().enumerate() {
            let mut bytes = (length as u32).to_be_bytes().to_vec();
            bytes.extend(77u32.to_be_bytes());
            bytes.resize(4 + length, 3);
            peer.write_all(&bytes).unwrap();
            let frame = net.frame();
            assert_eq!((frame.correlation_id, frame.api), (77, 0));
            assert_eq!(frame.sequence, sequence as u32);
            assert_eq!(net.bytes(&frame), bytes[4..]);
            net.release(&frame);
        }
        let skip = net
            .network
            .submit(&[PlanRow::skip(c, g, 0)], &[], &net.pins);
        assert_eq!(
            skip.unwrap_err().what,
            "an answer on an outbound connection"
        );
        peer.write_all(&3u32.to_be_bytes()).unwrap();
        net.expect_closed(c, g, CloseReason::FrameInvalid);
        net.finish();
    }
}

#[test]
fn a_connection_that_cannot_be_made_says_why() {
    let mut net = Net::new(NetworkOptions {
        connect_timeout_ms: 300,
        ..options()
    });
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    net.network.connect("127.0.0.1", port, 1);
    let event = net.expect(event_kind::CONNECT_FAILED);
    assert_eq!(event.words[3..5], [1, libc::ECONNREFUSED as u32]);
    net.network.connect("no-such-host.invalid", port, 2);
    let event = net.expect(event_kind::CONNECT_FAILED);
    assert_eq!(event.words[3..5], [2, libc::EHOSTUNREACH as u32]);

    // A listener whose backlog is full does not answer.
    let deaf = deaf_listener();
    let address = deaf.local_addr().unwrap();
    let mut fillers = Vec::new();
    for id in 3..60 {
        net.network.connect("127.0.0.1", address.port(), id);
        fillers.push(id);
    }
    let mut timed_out = 0;
    for _ in fillers {
        let event = net.next();
        if event.kind() == event_kind::CONNECT_FAILED {
            assert_eq!(event.words[4], libc::ETIMEDOUT as u32);
            timed_out += 1;
        }
    }
    assert!(timed_out > 0);
    net.finish();
}

/// Listens and never accepts, with the shortest backlog there is.
fn deaf_listener() -> TcpListener {
    use std::os::fd::AsRawFd;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: no pointers.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    listener
}

#[test]
fn outbound_connections_are_limited() {
    let mut net = Net::new(NetworkOptions {
        outbound_max: 2,
        ..options()
    });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for id in 0..2 {
        net.network.connect("127.0.0.1", port, id);
        net.expect(event_kind::CONNECTED);
    }
    net.network.connect("127.0.0.1", port, 3);
    let event = net.expect(event_kind::CONNECT_FAILED);
    assert_eq!(event.words[3..5], [3, libc::EMFILE as u32]);
    net.finish();
}

#[test]
fn no_more_connections_after_accepting_stopped() {
    let mut net = Net::new(options());
    let (mut client, ..) = net.opened();
    net.network.stop_accepting();
    assert!(std::net::TcpStream::connect(net.address).is_err());
    send(&mut client, &request(0, 0, 0));
    let frame = net.frame();
    net.echo(&frame);
    assert_eq!(read_frame(&mut client).len(), 8);
    net.finish();
}

#[test]
fn an_occupied_port_is_named() {
    let net = Net::new(options());
    let options = ListenOptions {
        host: "127.0.0.1".into(),
        port: net.address.port(),
        listener_id: 1,
        frame_bytes_max: 100,
    };
    let error = net.network.listen(&options).unwrap_err();
    assert_eq!(error.code, "EADDRINUSE");
    assert!(
        error.message.contains(&net.address.to_string()),
        "{}",
        error.message
    );
    let foreign = ListenOptions {
        host: "192.0.2.1".into(),
        port: 0,
        ..options
    };
    assert_eq!(
        net.network.listen(&foreign).unwrap_err().code,
        "EADDRNOTAVAIL"
    );
    net.finish();
}

#[test]
fn a_drain_sends_what_is_owed_then_closes() {
    let mut net = Net::new(NetworkOptions {
        reactors: 2,
        ..options()
    });
    let (mut slow, c, g) = net.opened();
    let (mut owed, ..) = net.opened();
    let (mut idle, ..) = net.opened();
    let (mut half, ..) = net.opened();
    send(&mut slow, &request(0, 0, 0));
    let frame = net.frame();
    net.pins.add(1, harness::file(20 << 20, 1).0);
    let rows = [
        PlanRow::respond(c, g, 0, 1, 20 << 20),
        PlanRow::segment_file(1, 0, 20 << 20),
        PlanRow::release(frame.offset),
    ];
    net.submit(&rows, &[]);
    send(&mut owed, &request(0, 0, 0));
    let frame = net.frame();
    send(&mut half, &request(0, 0, 1000)[..100]);

    std::thread::scope(|scope| {
        let drain = scope.spawn(|| net.network.shutdown(DEADLINE));
        assert!(harness::read_end(&mut idle).is_empty());
        assert!(harness::read_end(&mut half).is_empty());
        net.echo(&frame);
        assert_eq!(read_frame(&mut owed), request(0, 0, 0)[4..]);
        assert!(harness::read_end(&mut owed).is_empty());
        assert_eq!(read_frame(&mut slow).len(), 20 << 20);
        assert!(harness::read_end(&mut slow).is_empty());
        drain.join().unwrap();
    });
    for _ in 0..4 {
        let event = net.expect(event_kind::CLOSED);
        assert_eq!(event.words[4], CloseReason::Shutdown as u32);
    }
    net.finish();
}

#[test]
fn a_drain_does_not_wait_longer_than_it_may() {
    let mut net = Net::new(options());
    let (mut client, c, g) = net.opened();
    send(&mut client, &request(0, 0, 0));
    let frame = net.frame();
    let started = Instant::now();
    net.network.shutdown(Duration::from_millis(200));
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert!(started.elapsed() < DEADLINE);
    net.expect_closed(c, g, CloseReason::Shutdown);
    net.release(&frame);
    net.finish();
}

#[test]
fn a_close_waits_for_what_is_queued_and_for_no_answer() {
    let mut net = Net::new(options());
    let (mut parked, ..) = net.opened();
    send(&mut parked, &request(0, 0, 0));
    let unanswered = net.frame();
    let (mut slow, c, g) = net.opened();
    send(&mut slow, &request(0, 0, 0));
    let frame = net.frame();
    net.pins.add(1, harness::file(20 << 20, 1).0);
    let rows = [
        PlanRow::respond(c, g, 0, 1, 20 << 20),
        PlanRow::segment_file(1, 0, 20 << 20),
        PlanRow::release(frame.offset),
    ];
    net.submit(&rows, &[]);

    std::thread::scope(|scope| {
        // Longer than any test may take: it must end by itself.
        let close = scope.spawn(|| net.network.close(Duration::from_secs(3600)));
        assert!(harness::read_end(&mut parked).is_empty());
        assert_eq!(read_frame(&mut slow).len(), 20 << 20);
        assert!(harness::read_end(&mut slow).is_empty());
        close.join().unwrap();
    });
    for _ in 0..2 {
        let event = net.expect(event_kind::CLOSED);
        assert_eq!(event.words[4], CloseReason::Shutdown as u32);
    }
    net.release(&unanswered);
    net.finish();
}

#[test]
fn a_shutdown_with_a_full_ring_ends() {
    let mut net = Net::with(options(), 1 << 20, 8, 1000);
    let clients: Vec<_> = (0..6).map(|_| net.opened().0).collect();
    for mut client in &clients {
        for id in 0..4 {
            client.write_all(&request(0, id, 0)).unwrap();
        }
    }
    // Nobody drains; the ring is full of frames.
    net.until("receiving something", || {
        net.network.stats().received_bytes_total > 12
    });
    net.network.shutdown(Duration::ZERO);
    drop(clients);
}
