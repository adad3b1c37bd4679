//! From bytes to frames.

mod harness;

use harness::{Net, options, request, send};
use mantou_net_core::rows::{CloseReason, event_kind};
use mantou_net_core::{NetworkOptions, PlanRow};

#[test]
fn a_frame_may_arrive_in_any_two_pieces() {
    let mut net = Net::new(options());
    let bytes = [request(0x0003_0009, 1, 13), request(0x0012_0004, 2, 0)].concat();
    let (mut client, connection, generation) = net.opened();
    for cut in 0..=bytes.len() {
        send(&mut client, &bytes[..cut]);
        // The first piece must have been taken before the second one is sent.
        let received = cut + bytes.len() * cut;
        net.until("the first piece", || {
            net.network.stats().received_bytes_total as usize >= received
        });
        send(&mut client, &bytes[cut..]);
        let (first, second) = (net.frame(), net.frame());
        assert_eq!(
            (first.connection, first.generation),
            (connection, generation)
        );
        assert_eq!(
            (first.api, first.correlation_id, first.length),
            (0x0003_0009, 1, 21)
        );
        assert_eq!(net.bytes(&first), bytes[4..25]);
        assert_eq!(
            (second.api, second.correlation_id, second.length),
            (0x0012_0004, 2, 8)
        );
        assert_eq!(second.sequence, first.sequence + 1);
        net.echo(&first);
        net.echo(&second);
    }
    net.finish();
}

#[test]
fn frames_arrive_whole_when_sent_byte_by_byte() {
    let mut net = Net::new(options());
    let (mut client, ..) = net.opened();
    for id in 0..20 {
        let bytes = request(0, id, id as usize);
        for byte in &bytes {
            send(&mut client, &[*byte]);
        }
        let frame = net.frame();
        assert_eq!(net.bytes(&frame), bytes[4..]);
        net.echo(&frame);
    }
    net.finish();
}

#[test]
fn frames_of_mixed_sizes_are_packed_and_moved_without_damage() {
    let mut net = Net::new(options());
    let (client, ..) = net.opened();
    let sizes: Vec<usize> = (0..400)
        .map(|at| [3, 40_000, 0, 500, 130_000, 16_372][at % 6])
        .collect();
    let expected: Vec<Vec<u8>> = sizes
        .iter()
        .enumerate()
        .map(|(id, size)| request(0, id as u32, *size))
        .collect();
    let stream = expected.concat();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || send(&mut writer, &stream));
    for bytes in &expected {
        let frame = net.frame();
        assert_eq!(net.bytes(&frame), bytes[4..]);
        net.submit(
            &[
                PlanRow::skip(frame.connection, frame.generation, frame.sequence),
                PlanRow::release(frame.offset),
            ],
            &[],
        );
    }
    sender.join().unwrap();
    drop(client);
    net.finish();
}

#[test]
fn a_frame_larger_than_any_run_gets_its_own() {
    let mut net = Net::with(options(), 16 << 20, 1024, 7 << 20);
    let (mut client, ..) = net.opened();
    let bytes = request(0, 9, 6 << 20);
    let mut writer = client.try_clone().unwrap();
    let copy = bytes.clone();
    let sender = std::thread::spawn(move || send(&mut writer, &copy));
    let frame = net.frame();
    assert!(net.bytes(&frame) == bytes[4..]);
    net.respond(&frame, b"ok");
    net.release(&frame);
    assert_eq!(harness::read_frame(&mut client), b"ok");
    sender.join().unwrap();
    net.finish();
}

fn refused(prefix: [u8; 4], reason: CloseReason) {
    let mut net = Net::with(options(), 1 << 20, 64, 1000);
    let (mut client, connection, generation) = net.opened();
    send(&mut client, &prefix);
    net.expect_closed(connection, generation, reason);
    assert!(harness::read_end(&mut client).is_empty());
    assert_eq!(net.arena.used(), 0);
    net.finish();
}

#[test]
fn sizes_that_cannot_be_are_refused_by_the_prefix_alone() {
    refused(1001u32.to_be_bytes(), CloseReason::FrameTooLarge);
    refused(i32::MAX.to_be_bytes(), CloseReason::FrameTooLarge);
    refused((-1i32).to_be_bytes(), CloseReason::FrameInvalid);
    refused(i32::MIN.to_be_bytes(), CloseReason::FrameInvalid);
    refused(0u32.to_be_bytes(), CloseReason::FrameInvalid);
    refused(7u32.to_be_bytes(), CloseReason::FrameInvalid);
    refused(*b"GET ", CloseReason::FrameTooLarge);
}

#[test]
fn what_came_before_a_bad_size_is_a_frame_still() {
    let mut net = Net::new(options());
    let (mut client, connection, generation) = net.opened();
    let mut bytes = request(0, 1, 100);
    bytes.extend((-5i32).to_be_bytes());
    send(&mut client, &bytes);
    let frame = net.frame();
    net.expect_closed(connection, generation, CloseReason::FrameInvalid);
    // Its bytes outlive the connection, and a late answer is dropped.
    assert_eq!(net.bytes(&frame), bytes[4..112]);
    net.echo(&frame);
    net.finish();
}

#[test]
fn a_limit_can_be_raised() {
    let mut net = Net::with(options(), 1 << 20, 64, 1000);
    let (mut client, connection, generation) = net.opened();
    net.submit(&[PlanRow::frame_limit(connection, generation, 5000)], &[]);
    send(&mut client, &request(0, 1, 4992));
    let frame = net.frame();
    assert_eq!(frame.length, 5000);
    net.echo(&frame);
    send(&mut client, &request(0, 1, 4993));
    net.expect_closed(connection, generation, CloseReason::FrameTooLarge);
    net.finish();
}

#[test]
fn no_frame_may_be_larger_than_the_arena_can_keep() {
    let mut net = Net::with(options(), 1 << 20, 64, u32::MAX);
    let (mut client, connection, generation) = net.opened();
    let largest = net.arena.largest_run();
    let mut writer = client.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        send(&mut writer, &request(0, 1, largest - 12));
        send(&mut writer, &request(0, 1, largest - 11)[..12]);
    });
    let frame = net.frame();
    assert_eq!(frame.length as usize, largest - 4);
    net.expect_closed(connection, generation, CloseReason::FrameTooLarge);
    net.release(&frame);
    sender.join().unwrap();
    let _ = harness::read_end(&mut client);
    net.finish();
}

#[test]
fn an_idle_connection_holds_no_memory() {
    let mut net = Net::new(NetworkOptions {
        reactors: 2,
        ..options()
    });
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(net.opened().0);
    }
    for client in &mut clients {
        send(client, &request(0, 1, 50_000));
        let frame = net.frame();
        assert!(net.arena.used() > 0);
        net.echo(&frame);
    }
    // Half a prefix needs none either.
    for client in &mut clients {
        send(client, &[0, 0]);
    }
    net.until("giving the runs back", || net.arena.used() == 0);
    drop(clients);
    for _ in 0..20 {
        net.expect(event_kind::CLOSED);
    }
    net.finish();
}
