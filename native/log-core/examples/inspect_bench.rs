//! Prints what judging a batch costs: `cargo run --release --example inspect_bench`.
//!
//! For each batch size and record size: the CRC alone, the whole inspection, the walk over the
//! records (the difference), and a copy of the batch into a file's page cache for comparison.

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use mantou_log_core::batch::{BatchView, crc32c, inspect, inspect_flag};

/// An unsigned varint of the zigzag form of `value`.
fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Records with a 16-byte key whose whole size is about `record_bytes`.
fn records(batch_bytes: usize, record_bytes: usize) -> (Vec<u8>, i32) {
    let mut out = Vec::new();
    let mut count = 0;
    while out.len() + record_bytes <= batch_bytes {
        let mut body = vec![0];
        varint(&mut body, i64::from(count) / 4);
        varint(&mut body, i64::from(count));
        varint(&mut body, 16);
        body.extend_from_slice(&[b'k'; 16]);
        let value_bytes = record_bytes - 16 - 12;
        varint(&mut body, value_bytes as i64);
        body.extend((0..value_bytes).map(|at| (at * 31 + count as usize) as u8));
        varint(&mut body, 0);
        varint(&mut out, body.len() as i64);
        out.extend_from_slice(&body);
        count += 1;
    }
    (out, count)
}

fn batch(payload: &[u8], count: i32, attributes: i16) -> Vec<u8> {
    let mut out = vec![0; 61];
    out[8..12].copy_from_slice(&(payload.len() as i32 + 49).to_be_bytes());
    out[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    out[16] = 2;
    out[21..23].copy_from_slice(&attributes.to_be_bytes());
    out[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    out[27..35].copy_from_slice(&1_700_000_000_000i64.to_be_bytes());
    out[35..43].copy_from_slice(&(1_700_000_000_000i64 + i64::from(count - 1) / 4).to_be_bytes());
    out[43..57].fill(0xff);
    out[57..61].copy_from_slice(&count.to_be_bytes());
    out.extend_from_slice(payload);
    let crc = crc32c(&out[21..]);
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

/// The best of several runs, in nanoseconds a call.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..30 {
        let rounds = 500;
        let start = Instant::now();
        for _ in 0..rounds {
            call();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(rounds));
    }
    best
}

fn main() {
    let path = std::env::temp_dir().join(format!("inspect-bench-{}", std::process::id()));
    let file = File::create(&path).expect("a temporary file");
    println!("batch   record     CRC ns  inspect ns  GB/s   walk ns  write ns  walk/(CRC+write)");
    for batch_bytes in [16 << 10, 64 << 10] {
        for record_bytes in [100, 1000] {
            let (payload, count) = records(batch_bytes, record_bytes);
            let bytes = batch(&payload, count, 0);
            assert_eq!(inspect(&bytes, 0, 0).code as u32, 0);
            let view = BatchView::parse(&bytes).expect("a batch");
            let crc = nanoseconds(|| {
                black_box(view.computed_crc());
            });
            let whole = nanoseconds(|| {
                black_box(inspect(black_box(&bytes), 0, 0));
            });
            // Appends take fresh pages, so the file is emptied now and then, outside of most calls.
            let mut at = 0;
            let write = nanoseconds(|| {
                if at > 64 << 20 {
                    file.set_len(0).expect("an empty file");
                    at = 0;
                }
                file.write_all_at(&bytes, at).expect("a write");
                at += bytes.len() as u64;
            });
            file.set_len(0).expect("an empty file");
            let walk = whole - crc;
            println!(
                "{batch_bytes:6}  {record_bytes:6}  {crc:9.0}  {whole:10.0}  {:4.1}  {walk:8.0}  {write:8.0}  {:5.1} %",
                bytes.len() as f64 / whole,
                100.0 * walk / (crc + write),
            );
        }
    }
    let _ = std::fs::remove_file(&path);
    let (payload, count) = records(64 << 10, 1000);
    let zstd = zstd::encode_all(&payload[..], 3).expect("zstd");
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, &payload).expect("gzip");
        encoder.finish().expect("gzip")
    };
    let snappy = snap::raw::Encoder::new()
        .compress_vec(&payload)
        .expect("snappy");
    for (name, payload, attributes) in [("gzip", gzip, 1), ("snappy", snappy, 2), ("zstd", zstd, 4)]
    {
        let bytes = batch(&payload, count, attributes);
        let plain = nanoseconds(|| {
            black_box(inspect(black_box(&bytes), 0, 1 << 20));
        });
        let walked = nanoseconds(|| {
            black_box(inspect(
                black_box(&bytes),
                inspect_flag::VALIDATE_RECORDS,
                1 << 20,
            ));
        });
        println!(
            "{name}: {} bytes, framing {plain:.0} ns, every record {walked:.0} ns",
            bytes.len()
        );
    }
}
