//! The hot calls: tables of rows, borrowed for the call, read and answered in place.

use mantou_log_core::batch::inspect_and_mend;
use mantou_log_core::{AppendRow, LocateRequest, Located};
use mantou_net_core::{EventRow, PlanRow};
use napi::Result;
use napi::bindgen_prelude::{Float64ArraySlice, Uint32ArraySlice};
use napi_derive::napi;

use crate::arena::{ArenaBytes, with_bytes};
use crate::engine::{invalid, lock, with_engine};
use crate::layout::{self, append, inspect as inspect_row, locate as locate_row};
use crate::outbox::code_of;

/// Set in the result of [`drain`] when completions wait to be fetched.
const HAS_COMPLETIONS: u32 = 1 << 31;

/// Moves events into `table`; returns how many, and in the highest bit whether completions wait.
#[napi]
pub fn drain(engine: u32, mut table: Uint32ArraySlice) -> Result<u32> {
    let rows = event_rows(words(&mut table))?;
    with_engine(engine, |engine| {
        let drained = engine.outbox.drain(rows, &engine.ring, &engine.pins);
        let flag = if drained.has_completions {
            HAS_COMPLETIONS
        } else {
            0
        };
        Ok(drained.rows as u32 | flag)
    })
}

/// Carries out the first `rows` rows of a plan.
#[napi]
pub fn submit(engine: u32, table: &[u32], rows: u32, bytes: &[u8]) -> Result<()> {
    let plan = plan_rows(table, rows)?;
    with_engine(engine, |engine| {
        engine
            .network
            .submit(plan, bytes, &engine.pins)
            .map_err(|error| invalid(format!("plan row {}: {}", error.row, error.what)))
    })
}

/// Judges batches; see layout `Inspect`.
#[napi]
pub fn inspect(engine: u32, mut table: Uint32ArraySlice, rows: u32) -> Result<()> {
    with_engine(engine, |engine| {
        for row in first_rows_mut(words(&mut table), rows, layout::INSPECT_WORDS)? {
            let flags = row[inspect_row::FLAGS];
            let inflated_bytes_max = row[inspect_row::INFLATED_BYTES_MAX] as usize;
            let (offset, length) = (row[inspect_row::OFFSET], row[inspect_row::LENGTH]);
            let outcome = with_bytes(engine, offset, length, |bytes| {
                inspect_and_mend(bytes, flags, inflated_bytes_max)
            })
            .ok_or_else(|| invalid("an inspect row is not within the arena"))?;
            row[inspect_row::CODE] = outcome.code as u32;
            row[inspect_row::RECORD_INDEX] = outcome.record_index;
        }
        Ok(())
    })
}

/// Queues appends; see layout `Append`.
#[napi]
pub fn append(engine: u32, table: &[u32], rows: u32, now_ms: f64) -> Result<()> {
    with_engine(engine, |engine| {
        let Some(store) = engine.open_store() else {
            return Err(invalid("append before the store is open"));
        };
        let mut batch = lock(&engine.append_rows);
        for row in first_rows(table, rows, layout::APPEND_WORDS)? {
            let (offset, length) = (row[append::OFFSET], row[append::LENGTH]);
            let payload = ArenaBytes::retain(&engine.arena, offset, length)
                .ok_or_else(|| invalid("an append row is not within the arena"))?;
            batch.push(AppendRow {
                log: row[append::LOG_ID],
                payload: Box::new(payload),
                base_offset: double(row, append::BASE_OFFSET_F64) as i64,
                leader_epoch: row[append::LEADER_EPOCH] as i32,
                flags: row[append::FLAGS],
                now_ms: now_ms as i64,
            });
        }
        store.append(&mut batch);
        Ok(())
    })
}

/// Finds file ranges; see layout `Locate`.
#[napi]
pub fn locate(engine: u32, mut table: Uint32ArraySlice, rows: u32) -> Result<()> {
    with_engine(engine, |engine| {
        let store = engine.open_store();
        for row in first_rows_mut(words(&mut table), rows, layout::LOCATE_WORDS)? {
            let request = LocateRequest {
                log: row[locate_row::LOG_ID],
                flags: row[locate_row::FLAGS],
                offset: double(row, locate_row::OFFSET_F64) as i64,
                limit: double(row, locate_row::LIMIT_F64) as i64,
                bytes_max: row[locate_row::BYTES_MAX],
                tag: row[locate_row::TAG],
            };
            let located = store
                .as_ref()
                .map_or(Located::Unavailable, |store| store.locate(&request));
            row[locate_row::CODE] = code_of(&located);
            let (position, length, pin) = match located {
                Located::Ready(pin) => (pin.position, pin.length, engine.pins.add(pin)),
                _ => (0, 0, 0),
            };
            row[locate_row::PIN] = pin;
            row[locate_row::LENGTH] = length;
            set_double(row, locate_row::POSITION_F64, position as f64);
        }
        Ok(())
    })
}

/// Fills the bytes on disk of each log.
#[napi]
pub fn sizes(engine: u32, log_ids: &[u32], mut bytes: Float64ArraySlice) -> Result<()> {
    // SAFETY: as in `words`.
    let bytes = unsafe { bytes.as_mut() };
    if bytes.len() < log_ids.len() {
        return Err(invalid("sizes has no room for its answers"));
    }
    with_engine(engine, |engine| {
        let bytes = &mut bytes[..log_ids.len()];
        match engine.open_store() {
            Some(store) => store.sizes(log_ids, bytes),
            None => bytes.fill(0.0),
        }
        Ok(())
    })
}

/// The words of a table that JavaScript has lent for the call.
fn words<'a>(table: &'a mut Uint32ArraySlice) -> &'a mut [u32] {
    // SAFETY: JavaScript does not run during the call, and no other thread knows of the table.
    unsafe { table.as_mut() }
}

fn event_rows(table: &mut [u32]) -> Result<&mut [EventRow]> {
    if table.as_ptr().align_offset(align_of::<EventRow>()) != 0 {
        return Err(invalid("the event table is not aligned to 8 bytes"));
    }
    let count = table.len() / layout::EVENT_WORDS;
    // SAFETY: EventRow is eight u32 (repr(C), asserted in layout_check), any bits are valid, the
    // alignment was checked, and `count` whole rows lie within the borrowed table.
    Ok(unsafe { std::slice::from_raw_parts_mut(table.as_mut_ptr().cast::<EventRow>(), count) })
}

fn plan_rows(table: &[u32], rows: u32) -> Result<&[PlanRow]> {
    let words = (rows as usize).checked_mul(layout::PLAN_WORDS);
    if words.is_none_or(|words| words > table.len()) {
        return Err(invalid("the plan has more rows than its table"));
    }
    if table.as_ptr().align_offset(align_of::<PlanRow>()) != 0 {
        return Err(invalid("the plan table is not aligned to 8 bytes"));
    }
    // SAFETY: as in `event_rows`; that `rows` rows lie within the table was checked.
    Ok(unsafe { std::slice::from_raw_parts(table.as_ptr().cast::<PlanRow>(), rows as usize) })
}

fn first_rows(table: &[u32], rows: u32, words: usize) -> Result<std::slice::ChunksExact<'_, u32>> {
    match table.get(..rows as usize * words) {
        Some(rows) => Ok(rows.chunks_exact(words)),
        None => Err(invalid("more rows than the table has")),
    }
}

fn first_rows_mut(
    table: &mut [u32],
    rows: u32,
    words: usize,
) -> Result<std::slice::ChunksExactMut<'_, u32>> {
    match table.get_mut(..rows as usize * words) {
        Some(rows) => Ok(rows.chunks_exact_mut(words)),
        None => Err(invalid("more rows than the table has")),
    }
}

/// A double field of a row: two words, the low one first (all our targets are little-endian).
fn double(row: &[u32], field: usize) -> f64 {
    f64::from_bits(u64::from(row[field * 2]) | u64::from(row[field * 2 + 1]) << 32)
}

fn set_double(row: &mut [u32], field: usize, value: f64) {
    let bits = value.to_bits();
    row[field * 2] = bits as u32;
    row[field * 2 + 1] = (bits >> 32) as u32;
}
