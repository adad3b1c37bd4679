//! Answers: their order, their segments, and plans that come too late or make no sense.

mod harness;

use std::io::Read;
use std::sync::atomic::Ordering;

use harness::{Frame, Net, options, read_frame, request, send};
use mantou_net_core::rows::{CloseReason, event_kind};
use mantou_net_core::{EventRow, PlanError, PlanRow};

/// Sends `count` requests and returns their frames.
fn requests(net: &mut Net, client: &mut std::net::TcpStream, count: u32) -> Vec<Frame> {
    let bytes: Vec<u8> = (0..count).flat_map(|id| request(0, id, 5)).collect();
    send(client, &bytes);
    (0..count).map(|_| net.frame()).collect()
}

#[test]
fn thousands_of_pipelined_requests_are_answered_in_order() {
    let mut net = Net::new(options());
    let (client, ..) = net.opened();
    let mut writer = client.try_clone().unwrap();
    let mut reader = client;
    let count = 20_000u32;
    let sender = std::thread::spawn(move || {
        for id in 0..count {
            send(&mut writer, &request(0, id, 20));
        }
    });
    let receiver = std::thread::spawn(move || {
        for id in 0..count {
            assert_eq!(read_frame(&mut reader), request(0, id, 20)[4..]);
        }
    });
    for _ in 0..count {
        let frame = net.frame();
        net.echo(&frame);
    }
    sender.join().unwrap();
    receiver.join().unwrap();
    net.finish();
}

#[test]
fn answers_leave_in_the_order_of_the_requests() {
    let mut net = Net::new(options());
    let (mut client, ..) = net.opened();
    for order in [
        [3, 1, 0, 2, 4],
        [4, 3, 2, 1, 0],
        [1, 2, 3, 4, 0],
        [0, 2, 1, 4, 3],
    ] {
        let frames = requests(&mut net, &mut client, 5);
        for at in order {
            net.echo(&frames[at]);
        }
        for id in 0..5 {
            assert_eq!(read_frame(&mut client), request(0, id, 5)[4..]);
        }
    }
    net.finish();
}

#[test]
fn a_skipped_request_takes_no_place() {
    let mut net = Net::new(options());
    let (mut client, ..) = net.opened();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let frames = requests(&mut net, &mut client, 4);
        for at in order {
            let frame = &frames[at];
            if at == 1 || at == 2 {
                let skip = PlanRow::skip(frame.connection, frame.generation, frame.sequence);
                net.submit(&[skip, PlanRow::release(frame.offset)], &[]);
            } else {
                net.echo(frame);
            }
        }
        assert_eq!(read_frame(&mut client), request(0, 0, 5)[4..]);
        assert_eq!(read_frame(&mut client), request(0, 3, 5)[4..]);
    }
    net.finish();
}

#[test]
fn one_plan_answers_many_connections_and_frames() {
    let mut net = Net::new(options());
    let mut clients: Vec<_> = (0..10).map(|_| net.opened().0).collect();
    let mut rows = Vec::new();
    let mut bytes = Vec::new();
    for client in &mut clients {
        for frame in requests(&mut net, client, 30) {
            let body = net.bytes(&frame);
            let length = body.len() as u32;
            let Frame {
                connection,
                generation,
                sequence,
                ..
            } = frame;
            rows.push(PlanRow::respond(
                connection, generation, sequence, 3, length,
            ));
            let at = bytes.len() as u32;
            rows.push(PlanRow::segment_bytes(at, 2));
            rows.push(PlanRow::segment_bytes(0, 0));
            rows.push(PlanRow::segment_bytes(at + 2, length - 2));
            rows.push(PlanRow::release(frame.offset));
            bytes.extend(body);
        }
    }
    net.submit(&rows, &bytes);
    for client in &mut clients {
        for id in 0..30 {
            assert_eq!(read_frame(client), request(0, id, 5)[4..]);
        }
    }
    net.finish();
}

#[test]
fn rows_for_a_dead_connection_are_dropped_and_their_pins_released() {
    let mut net = Net::new(options());
    let (mut client, connection, generation) = net.opened();
    let frames = requests(&mut net, &mut client, 3);
    drop(client);
    net.expect_closed(connection, generation, CloseReason::Peer);
    assert!(net.network.describe(connection, generation).is_none());

    // The slot is taken again; its new owner must not hear of the old one's answers.
    let (mut client, again, new_generation) = net.opened();
    assert_eq!(again, connection);
    assert_ne!(generation, new_generation);
    net.pins.add(1, harness::file(100, 1).0);
    let file_rows = [
        PlanRow::respond(connection, generation, 0, 2, 108),
        PlanRow::segment_bytes(0, 8),
        PlanRow::segment_file(1, 0, 100),
    ];
    net.submit(&file_rows, &[0; 8]);
    assert_eq!(net.pins.open.load(Ordering::SeqCst), 0);
    // While a broker ends, its pins may be gone before its last plan.
    net.submit(&file_rows, &[0; 8]);
    for frame in &frames {
        net.echo(frame);
    }
    net.submit(
        &[
            PlanRow::close(connection, generation),
            PlanRow::mute(connection, generation, 1 << 30),
            PlanRow::frame_limit(connection, generation, 8),
        ],
        &[],
    );
    for frame in requests(&mut net, &mut client, 3) {
        assert_eq!(frame.generation, new_generation);
        net.echo(&frame);
    }
    for id in 0..3 {
        assert_eq!(read_frame(&mut client), request(0, id, 5)[4..]);
    }
    net.finish();
}

#[test]
fn plans_that_make_no_sense_are_named() {
    let mut net = Net::new(options());
    let (mut client, c, g) = net.opened();
    let frames = requests(&mut net, &mut client, 2);
    let fails = |rows: &[PlanRow]| {
        let before = net.pins.open.load(Ordering::SeqCst);
        net.pins.add(5, harness::file(10, 1).0);
        let PlanError { row, what } = net
            .network
            .submit(rows, &[0; 10], &net.pins)
            .expect_err("a wrong plan was taken");
        net.network
            .submit(&[PlanRow::release_pin(5)], &[], &net.pins)
            .unwrap();
        assert_eq!(
            net.pins.open.load(Ordering::SeqCst),
            before,
            "pin kept: {what}"
        );
        (row, what)
    };
    let respond = |count, total| PlanRow::respond(c, g, 0, count, total);
    let bytes = PlanRow::segment_bytes;
    assert_eq!(
        fails(&[respond(1, 5)]),
        (0, "fewer segments than announced")
    );
    assert_eq!(
        fails(&[respond(1, 5), respond(0, 0)]).1,
        "fewer segments than announced"
    );
    assert_eq!(
        fails(&[respond(1, 5), bytes(0, 4)]).1,
        "segments do not add up to the total"
    );
    assert_eq!(
        fails(&[respond(1, 5), bytes(8, 5)]).1,
        "bytes outside the table"
    );
    assert_eq!(
        fails(&[respond(1, 5), PlanRow::segment_file(6, 0, 5)]).1,
        "no such pin"
    );
    let wrong = [respond(2, 9), PlanRow::segment_file(5, 0, 5), bytes(0, 5)];
    assert_eq!(fails(&wrong).1, "segments do not add up to the total");
    assert_eq!(fails(&[bytes(0, 4)]).1, "a segment without an answer");
    assert_eq!(fails(&[PlanRow::default()]).1, "an unknown kind of row");
    assert_eq!(
        fails(&[PlanRow::close(1 << 20, 1)]).1,
        "no such connection slot"
    );
    let skip = PlanRow::skip;
    assert_eq!(fails(&[skip(c, g, 2)]).1, "an answer that nobody waits for");
    assert_eq!(
        fails(&[skip(c, g, 1), skip(c, g, 1)]),
        (1, "an answer that nobody waits for")
    );
    assert_eq!(
        fails(&[skip(c, g, 0), skip(c, g, 0)]),
        (1, "an answer that nobody waits for")
    );
    let send = [PlanRow::send(c, g, 1, 4), bytes(0, 4)];
    assert_eq!(fails(&send).1, "SEND on an inbound connection");
    frames.iter().for_each(|frame| net.release(frame));
    net.finish();
}

#[test]
fn close_sends_what_is_in_order_first() {
    let mut net = Net::new(options());
    let (mut client, c, g) = net.opened();
    let frames = requests(&mut net, &mut client, 4);
    let rows = [
        PlanRow::respond(c, g, 1, 1, 3),
        PlanRow::segment_bytes(3, 3),
        PlanRow::respond(c, g, 3, 1, 3),
        PlanRow::segment_bytes(6, 3),
        PlanRow::respond(c, g, 0, 1, 3),
        PlanRow::segment_bytes(0, 3),
        PlanRow::close(c, g),
        PlanRow::respond(c, g, 2, 1, 3),
        PlanRow::segment_bytes(6, 3),
    ];
    // Requests that nobody will read must not turn the close into a reset.
    net.submit(&[PlanRow::mute(c, g, 10_000)], &[]);
    let (mut other, ..) = net.opened();
    let passing = requests(&mut net, &mut other, 1);
    send(&mut client, &request(0, 99, 3000));
    net.submit(&rows, b"onetwosix");
    net.expect_closed(c, g, CloseReason::Requested);
    assert_eq!(read_frame(&mut client), b"one");
    assert_eq!(read_frame(&mut client), b"two");
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the end, not an error");
    for frame in frames.iter().chain(&passing) {
        net.release(frame);
    }
    net.finish();
}

#[test]
fn describe_tells_who_is_there() {
    let mut net = Net::new(options());
    let (client, c, g) = net.opened();
    let info = net.network.describe(c, g).unwrap();
    assert_eq!(info.remote, client.local_addr().unwrap());
    assert_eq!(info.listener_id, 7);
    assert!(net.network.describe(c, g + 1).is_none());
    assert!(net.network.describe(c + 1, 0).is_none());
    assert!(net.network.describe(u32::MAX, g).is_none());
    drop(client);
    net.expect_closed(c, g, CloseReason::Peer);
    assert!(net.network.describe(c, g).is_none());
    net.finish();
}

#[test]
fn a_small_ring_and_a_small_table_lose_nothing() {
    let mut net = Net::with(options(), 16 << 20, 16, 1 << 20);
    net.drain_rows = 3;
    let clients: Vec<_> = (0..4).map(|_| net.opened().0).collect();
    let count = 3000u32;
    let writers: Vec<_> = clients
        .iter()
        .map(|client| {
            let mut writer = client.try_clone().unwrap();
            std::thread::spawn(move || {
                for id in 0..count {
                    send(&mut writer, &request(0, id, 40));
                }
            })
        })
        .collect();
    // Rows of the store come in between and are never lost either.
    let ring = std::sync::Arc::clone(&net.ring);
    let store = std::thread::spawn(move || {
        for offset in 0..count {
            ring.push(EventRow::durable(1, offset.into()));
        }
    });
    let mut durable = 0;
    let mut frames = 0;
    while durable < count || frames < 4 * count {
        let event = net.next();
        if event.kind() == event_kind::DURABLE {
            assert_eq!(event.value(), f64::from(durable));
            durable += 1;
            continue;
        }
        assert_eq!(event.kind(), event_kind::FRAME);
        frames += 1;
        let [_, c, g, offset, .., sequence] = event.words;
        net.submit(
            &[PlanRow::skip(c, g, sequence), PlanRow::release(offset)],
            &[],
        );
    }
    for writer in writers {
        writer.join().unwrap();
    }
    store.join().unwrap();
    drop(clients);
    net.finish();
}
