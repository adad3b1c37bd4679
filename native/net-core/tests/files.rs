//! File ranges in answers.

mod harness;

use std::io::Read;
use std::sync::atomic::Ordering;

use harness::{Net, file, options, read_frame, request, send};
use mantou_net_core::rows::CloseReason;
use mantou_net_core::{NetworkOptions, PlanRow};

#[test]
fn bytes_and_files_alternate_in_one_answer() {
    let mut net = Net::new(options());
    let (mut client, c, g) = net.opened();
    let (first, first_content) = file(300_000, 1);
    let (second, second_content) = file(10, 2);
    net.pins.add(1, first);
    net.pins.add(2, second);
    send(&mut client, &request(0, 0, 0));
    let frame = net.frame();
    let rows = [
        PlanRow::respond(c, g, 0, 6, 4 + 250_000 + 3 + 10 + 2),
        PlanRow::segment_bytes(0, 4),
        PlanRow::segment_file(1, 40_000, 250_000),
        PlanRow::segment_bytes(4, 3),
        PlanRow::segment_file(2, 0, 10),
        PlanRow::segment_bytes(0, 0),
        PlanRow::segment_bytes(7, 2),
    ];
    net.submit(&rows, b"headmidzz");
    let answer = read_frame(&mut client);
    let expected = [
        b"head",
        &first_content[40_000..290_000],
        b"mid",
        &second_content,
        b"zz",
    ]
    .concat();
    assert!(answer == expected);
    net.until("dropping the pins", || {
        net.pins.open.load(Ordering::SeqCst) == 0
    });
    net.release(&frame);
    net.finish();
}

#[test]
fn large_ranges_reach_slow_readers_whole() {
    let mut net = Net::new(NetworkOptions {
        output_quota_bytes: 1 << 30,
        ..options()
    });
    let (mut client, c, g) = net.opened();
    let (_, content) = file(8 << 20, 3);
    for pin in 0..4 {
        net.pins.add(pin, file(8 << 20, 3).0);
        send(&mut client, &request(0, pin, 0));
        let frame = net.frame();
        let rows = [
            PlanRow::respond(c, g, pin, 2, (8 << 20) + 1),
            PlanRow::segment_bytes(0, 1),
            PlanRow::segment_file(pin, 0, 8 << 20),
            PlanRow::release(frame.offset),
        ];
        net.submit(&rows, &[pin as u8]);
    }
    // Nothing is read until the socket is full, then in odd steps.
    net.until("filling the socket", || {
        net.network.stats().sent_bytes_total > 1 << 16
    });
    for pin in 0..4 {
        let mut prefix = [0; 4];
        client.read_exact(&mut prefix).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(prefix) as usize];
        for piece in answer.chunks_mut(77_777) {
            client.read_exact(piece).unwrap();
        }
        assert_eq!(answer[0], pin);
        assert!(answer[1..] == content);
    }
    net.until("dropping the pins", || {
        net.pins.open.load(Ordering::SeqCst) == 0
    });
    net.finish();
}

#[test]
fn a_file_shorter_than_promised_ends_the_connection() {
    let mut net = Net::new(options());
    let (mut client, c, g) = net.opened();
    net.pins.add(1, file(1000, 4).0);
    send(&mut client, &request(0, 0, 0));
    let frame = net.frame();
    let rows = [
        PlanRow::respond(c, g, 0, 1, 2000),
        PlanRow::segment_file(1, 0, 2000),
    ];
    net.submit(&rows, &[]);
    net.expect_closed(c, g, CloseReason::Io);
    net.release(&frame);
    net.finish();
}

#[test]
fn a_peer_that_goes_away_in_the_middle_of_a_file_releases_it() {
    let mut net = Net::new(options());
    for round in 0..10 {
        let (mut client, c, g) = net.opened();
        net.pins.add(1, file(32 << 20, 5).0);
        net.pins.add(2, file(1000, 5).0);
        send(&mut client, &request(0, 0, 0));
        send(&mut client, &request(0, 1, 0));
        let frames = [net.frame(), net.frame()];
        let rows = [
            PlanRow::respond(c, g, 1, 1, 1000),
            PlanRow::segment_file(2, 0, 1000),
            PlanRow::respond(c, g, 0, 1, 32 << 20),
            PlanRow::segment_file(1, 0, 32 << 20),
        ];
        net.submit(&rows, &[]);
        let mut some = vec![0; 100_000];
        client.read_exact(&mut some).unwrap();
        if round % 2 == 0 {
            harness::reset(client);
        } else {
            drop(client);
        }
        net.expect_closed(c, g, CloseReason::Peer);
        for frame in &frames {
            net.release(frame);
        }
        net.until("dropping the pins", || {
            net.pins.open.load(Ordering::SeqCst) == 0
        });
    }
    net.finish();
}
