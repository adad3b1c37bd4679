//! Carrying out plans on the thread that submits them.

use std::sync::atomic::Ordering;

use crate::network::{PinTable, PlanError};
use crate::output::{Answer, Chunk, Output};
use crate::reader::PREFIX_BYTES;
use crate::rows::{PlanRow, plan_kind};
use crate::shared::Shared;
use crate::slots::{Slot, signal};

/// Doubles above this are not exact.
const POSITION_MAX: f64 = 9_007_199_254_740_991.0;

/// Connections that one plan sends to here, at some microseconds each. The reactor sends for the
/// others, so that a plan with answers for thousands does not keep its thread for long.
const INLINE_SENDS: usize = 128;

/// A plan being carried out.
pub(crate) struct Plan<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) rows: &'a [PlanRow],
    pub(crate) bytes: &'a [u8],
    pub(crate) pins: &'a dyn PinTable,
    /// Slots that got something to send. Emptied at the end; kept to be used again.
    pub(crate) touched: &'a mut Vec<u32>,
}

impl Plan<'_> {
    /// All rows in order, then one send per connection for what they brought.
    pub(crate) fn run(mut self) -> Result<(), PlanError> {
        let mut result = Ok(());
        let mut at = 0;
        while at < self.rows.len() {
            match self.row(at) {
                Ok(used) => at += used,
                Err(what) => {
                    result = Err(PlanError { row: at, what });
                    break;
                }
            }
        }
        self.send_touched();
        result
    }

    /// Returns how many rows it used up.
    fn row(&mut self, at: usize) -> Result<usize, &'static str> {
        let row = self.rows[at];
        let [kind, first, ..] = row.words;
        match kind {
            plan_kind::RESPOND | plan_kind::SEND => return self.respond_or_send(at, row),
            plan_kind::SKIP => self.with_output(row, |plan, slot, output| {
                plan.answer(slot, output, row, Answer::default())
            })?,
            plan_kind::CLOSE => {
                self.with_output(row, |_, _, output| {
                    output.closing = true;
                    Ok(())
                })?;
                self.shared.signal(first, signal::LOOK);
            }
            plan_kind::RELEASE => self.shared.arena.release(first),
            plan_kind::RELEASE_PIN => self.pins.release(first),
            plan_kind::MUTE => {
                // The clock has cut off up to a millisecond; a mute is never shorter than asked.
                let until = self.shared.now_ms() + 1 + u64::from(row.words[3]);
                self.with_output(row, |_, _, output| {
                    output.muted_until = output.muted_until.max(until);
                    Ok(())
                })?;
                self.shared.signal(first, signal::LOOK);
            }
            plan_kind::FRAME_LIMIT => self.with_output(row, |plan, slot, _| {
                let limit = plan.shared.clamp_frame_limit(row.words[3]);
                slot.frame_limit.store(limit, Ordering::SeqCst);
                Ok(())
            })?,
            plan_kind::SEGMENT_BYTES | plan_kind::SEGMENT_FILE => {
                return Err("a segment without an answer");
            }
            _ => return Err("an unknown kind of row"),
        }
        Ok(1)
    }

    fn is_alive(&mut self, row: PlanRow) -> Result<bool, &'static str> {
        let mut is_alive = false;
        self.with_output(row, |_, _, _| {
            is_alive = true;
            Ok(())
        })?;
        Ok(is_alive)
    }

    fn slot(&self, row: PlanRow) -> Result<&'_ Slot, &'static str> {
        self.shared
            .slots
            .get(row.words[1] as usize)
            .ok_or("no such connection slot")
    }

    /// Runs `action` under the lock of the row's connection, unless that generation is over.
    fn with_output(
        &mut self,
        row: PlanRow,
        action: impl FnOnce(&mut Self, &Slot, &mut Output) -> Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        self.slot(row)?;
        let slot = &self.shared.slots[row.words[1] as usize];
        let mut output = slot.lock();
        // Behind a CLOSE the connection counts as gone, so that what leaves depends on the plan
        // alone and not on how far the reactor is.
        if output.generation != row.words[2] || row.words[2] == 0 || output.closing {
            return Ok(());
        }
        action(self, slot, &mut output)
    }

    fn respond_or_send(&mut self, at: usize, row: PlanRow) -> Result<usize, &'static str> {
        let count = row.words[4] as usize;
        let segments = self
            .rows
            .get(at + 1..at + 1 + count)
            .ok_or("fewer segments than announced")?;
        if !self.is_alive(row)? {
            // Nothing is checked: while the network ends, the pins may be gone already.
            for segment in segments {
                if segment.words[0] == plan_kind::SEGMENT_FILE {
                    drop(self.pins.take(segment.words[1]));
                }
            }
            return Ok(1 + count);
        }
        let answer = self.assemble(row, segments)?;
        // The answer is dropped outside of the lock if the generation is over by now.
        let mut answer = Some(answer);
        self.with_output(row, |plan, slot, output| {
            let answer = answer.take().unwrap_or_default();
            if row.words[0] == plan_kind::RESPOND {
                return plan.answer(slot, output, row, answer);
            }
            if !output.outbound {
                return Err("SEND on an inbound connection");
            }
            slot.output_bytes.fetch_add(answer.bytes, Ordering::SeqCst);
            output.queue(answer);
            plan.touch(row.words[1], output);
            Ok(())
        })?;
        Ok(1 + count)
    }

    fn answer(
        &mut self,
        slot: &Slot,
        output: &mut Output,
        row: PlanRow,
        answer: Answer,
    ) -> Result<(), &'static str> {
        if output.outbound {
            return Err("an answer on an outbound connection");
        }
        let ahead = row.words[3].wrapping_sub(output.next);
        let unanswered = slot.unanswered.load(Ordering::SeqCst);
        if ahead >= unanswered || output.is_answered(ahead as usize) {
            return Err("an answer that nobody waits for");
        }
        slot.output_bytes.fetch_add(answer.bytes, Ordering::SeqCst);
        let count = output.answer(ahead as usize, answer);
        if count > 0 {
            slot.unanswered.fetch_sub(count, Ordering::SeqCst);
            self.touch(row.words[1], output);
        }
        Ok(())
    }

    fn touch(&mut self, index: u32, output: &mut Output) {
        if !std::mem::replace(&mut output.touched, true) {
            self.touched.push(index);
        }
    }

    /// Makes an answer of its segments. Takes their pins whatever happens.
    fn assemble(&self, row: PlanRow, segments: &[PlanRow]) -> Result<Answer, &'static str> {
        let total = row.words[5];
        let mut head = Vec::new();
        if total <= i32::MAX as u32 {
            let bytes = segments
                .iter()
                .filter(|row| row.words[0] == plan_kind::SEGMENT_BYTES);
            let length: u64 = bytes.map(|row| u64::from(row.words[2])).sum();
            head.reserve_exact(PREFIX_BYTES as usize + length.min(total.into()) as usize);
        }
        head.extend_from_slice(&total.to_be_bytes());
        let mut chunks = vec![Chunk::Bytes {
            bytes: head,
            sent: 0,
        }];
        let mut left = Some(u64::from(total));
        let mut fault = None;
        for segment in segments {
            let length = u64::from(segment.words[2]);
            left = left.and_then(|left| left.checked_sub(length));
            if let Err(what) = self.assemble_one(segment, &mut chunks) {
                fault.get_or_insert(what);
            }
        }
        match fault {
            Some(what) => Err(what),
            None if left != Some(0) => Err("segments do not add up to the total"),
            None if total > i32::MAX as u32 => Err("an answer of 2 GiB or more"),
            None => Ok(Answer {
                chunks,
                bytes: u64::from(total) + u64::from(PREFIX_BYTES),
            }),
        }
    }

    fn assemble_one(&self, segment: &PlanRow, chunks: &mut Vec<Chunk>) -> Result<(), &'static str> {
        let [kind, first, length, ..] = segment.words;
        match kind {
            plan_kind::SEGMENT_BYTES => {
                let end = first as usize + length as usize;
                let bytes = self
                    .bytes
                    .get(first as usize..end)
                    .ok_or("bytes outside the table")?;
                match chunks.last_mut() {
                    Some(Chunk::Bytes { bytes: last, .. }) => last.extend_from_slice(bytes),
                    _ if bytes.is_empty() => {}
                    _ => chunks.push(Chunk::Bytes {
                        bytes: bytes.to_vec(),
                        sent: 0,
                    }),
                }
            }
            plan_kind::SEGMENT_FILE => {
                let file = self.pins.take(first).ok_or("no such pin")?;
                let position = segment.file_position();
                if !(0.0..=POSITION_MAX).contains(&position) || position.fract() != 0.0 {
                    return Err("a file position that is no position");
                }
                if length > 0 {
                    let position = position as u64;
                    chunks.push(Chunk::File {
                        file,
                        position,
                        left: length.into(),
                    });
                }
            }
            _ => return Err("fewer segments than announced"),
        }
        Ok(())
    }

    /// One send per connection, here where it is cheap and by the reactor otherwise.
    fn send_touched(&mut self) {
        for (count, index) in self.touched.drain(..).enumerate() {
            let slot = &self.shared.slots[index as usize];
            let mut output = slot.lock();
            if !std::mem::take(&mut output.touched) {
                // The connection ended meanwhile.
                continue;
            }
            let (sent, more) = if count < INLINE_SENDS {
                output.send_inline()
            } else {
                output.leave_to_reactor()
            };
            slot.output_bytes.fetch_sub(sent, Ordering::SeqCst);
            drop(output);
            self.shared
                .counters
                .sent_bytes
                .fetch_add(sent, Ordering::Relaxed);
            let mut bits = if more { signal::FLUSH } else { 0 };
            if slot.stalled.load(Ordering::SeqCst) {
                bits |= signal::RESUME;
            }
            if bits != 0 {
                self.shared.signal(index, bits);
            }
        }
    }
}
