//! The ring and its doorbell.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mantou_net_core::{EventRow, Ring};

fn ring_with_count(rows: usize) -> (Ring, Arc<AtomicUsize>) {
    let ring = Ring::new(rows);
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    ring.set_bell(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    (ring, count)
}

fn row(value: u64) -> EventRow {
    EventRow::durable(1, value)
}

#[test]
fn the_bell_rings_once_until_the_ring_was_seen_empty() {
    let (ring, bells) = ring_with_count(64);
    let rung = || bells.swap(0, Ordering::SeqCst);
    let mut table = [EventRow::default(); 4];
    assert_eq!(ring.drain(&mut table), 0);
    ring.push(row(0));
    assert_eq!(rung(), 1);
    ring.push(row(1));
    ring.push_all(&[row(2), row(3)]);
    assert_eq!(rung(), 0);
    // A full table does not say that the ring is empty, so it does not arm the bell.
    assert_eq!(ring.drain(&mut table), 4);
    ring.push(row(4));
    assert_eq!(rung(), 0);
    assert_eq!(ring.drain(&mut table), 1);
    assert_eq!(table[0].value(), 4.0);
    ring.push(row(5));
    assert_eq!(rung(), 1);
    assert_eq!(ring.drain(&mut table), 1);
}

#[test]
fn a_quiet_row_waits_for_the_next_loud_one() {
    let (ring, bells) = ring_with_count(64);
    ring.push_quietly(row(0));
    assert_eq!(bells.load(Ordering::SeqCst), 0);
    ring.push(row(1));
    assert_eq!(bells.load(Ordering::SeqCst), 1);
    let mut table = [EventRow::default(); 4];
    assert_eq!(ring.drain(&mut table), 2);
    assert_eq!((table[0].value(), table[1].value()), (0.0, 1.0));
}

#[test]
fn a_bell_that_comes_late_hears_of_what_waits() {
    let ring = Ring::new(8);
    ring.push(row(0));
    let heard = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&heard);
    ring.set_bell(move || flag.store(true, Ordering::SeqCst));
    assert!(heard.load(Ordering::SeqCst));
}

#[test]
fn a_share_of_the_ring_is_kept_for_those_who_must_not_fail() {
    let (ring, _) = ring_with_count(16);
    let rows: Vec<EventRow> = (0..20).map(row).collect();
    assert_eq!(ring.try_push_all(&rows), 14);
    assert_eq!(ring.try_push_all(&rows), 0);
    ring.push_all(&[row(100), row(101)]);
    let mut table = [EventRow::default(); 32];
    assert_eq!(ring.drain(&mut table), 16);
    assert_eq!(table[13].value(), 13.0);
    assert_eq!(table[15].value(), 101.0);
    assert_eq!(ring.try_push_all(&[]), 0);
}

/// Many threads push through a small ring to one consumer that sleeps unless the bell wakes it:
/// a lost bell or row hangs it, a row out of order is seen.
#[test]
fn nothing_is_lost_or_reordered_under_stress() {
    let rows_each = if std::env::var_os("MANTOU_LONG").is_some() {
        2_000_000
    } else {
        100_000
    };
    for (capacity, table_rows) in [(8, 1), (8, 100), (64, 7), (4096, 64)] {
        let ring = Arc::new(Ring::new(capacity));
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let ringer = Arc::clone(&bell);
        ring.set_bell(move || {
            *ringer.0.lock().unwrap() = true;
            ringer.1.notify_one();
        });
        let producers: Vec<_> = (0..3u32)
            .map(|id| {
                let ring = Arc::clone(&ring);
                std::thread::spawn(move || produce(&ring, id, rows_each))
            })
            .collect();
        let mut next = [0u64; 3];
        let mut table = vec![EventRow::default(); table_rows];
        let mut left = 3 * rows_each;
        let deadline = Instant::now() + Duration::from_secs(60);
        while left > 0 {
            let mut rung = bell.0.lock().unwrap();
            while !*rung {
                let wait = deadline.checked_duration_since(Instant::now());
                let wait = wait.expect("the consumer was not woken");
                rung = bell.1.wait_timeout(rung, wait).unwrap().0;
            }
            *rung = false;
            drop(rung);
            loop {
                let count = ring.drain(&mut table);
                for event in &table[..count] {
                    let producer = event.words[1] as usize;
                    assert_eq!(event.value(), next[producer] as f64);
                    next[producer] += 1;
                }
                left -= count as u64;
                if count < table.len() {
                    break;
                }
            }
        }
        producers
            .into_iter()
            .for_each(|producer| producer.join().unwrap());
        assert_eq!(ring.drain(&mut table), 0);
    }
}

fn produce(ring: &Ring, id: u32, count: u64) {
    let mut at = 0;
    while at < count {
        let size = (at * 7 + u64::from(id)) % 20 + 1;
        let rows: Vec<EventRow> = (at..count.min(at + size))
            .map(|value| EventRow::durable(id, value))
            .collect();
        match id {
            0 => ring.push_all(&rows),
            1 => rows.iter().for_each(|row| ring.push(*row)),
            _ => {
                let mut left = &rows[..];
                while !left.is_empty() {
                    left = &left[ring.try_push_all(left)..];
                    std::thread::yield_now();
                }
            }
        }
        at += rows.len() as u64;
    }
}
