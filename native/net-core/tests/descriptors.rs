//! Running out of descriptors. In a process of its own, since it lowers the process's limit.

mod harness;

use harness::{Net, options, read_frame, request, send};
use mantou_net_core::rows::event_kind;

#[test]
fn without_descriptors_new_connections_are_refused_and_old_ones_go_on() {
    let mut net = Net::new(options());
    let (mut client, ..) = net.opened();
    let mut fillers = Vec::new();
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a local of the right type.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = 64;
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
    while let Ok(file) = std::fs::File::open("/dev/null") {
        fillers.push(file);
    }
    for refused in 1..=5 {
        // One descriptor for the client, none for its other end.
        fillers.pop();
        let mut late = net.client();
        assert!(harness::read_end(&mut late).is_empty());
        net.until("counting", || net.network.stats().refused_total == refused);
        drop(late);
        fillers.push(std::fs::File::open("/dev/null").unwrap());
        send(&mut client, &request(0, refused as u32, 10));
        let frame = net.frame();
        net.echo(&frame);
        assert_eq!(read_frame(&mut client).len(), 18);
    }
    drop(fillers);
    let (late, ..) = net.opened();
    drop(late);
    net.expect(event_kind::CLOSED);
    net.finish();
}
