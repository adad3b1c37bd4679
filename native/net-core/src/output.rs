//! What a connection has to send: answers in the order of their requests, made of bytes and of
//! file ranges.

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::network::FileRange;
use crate::rows::CloseReason;
use crate::slots::Peer;
use crate::sys::{self, Moved};

/// Answers of bytes only, and no longer than this, go out on the submitting thread.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Buffers handed to the kernel with one call.
const BUFFERS_PER_SEND: usize = 16;
/// Bytes handed to the kernel with one `sendfile`.
const FILE_STEP_BYTES: usize = 1 << 20;

/// A piece of output.
pub(crate) enum Chunk {
    Bytes {
        bytes: Vec<u8>,
        sent: usize,
    },
    File {
        file: Arc<dyn FileRange>,
        position: u64,
        left: u64,
    },
}

/// The answer of one frame. `bytes` counts those of its files too; an answer that is skipped
/// has none.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) bytes: u64,
}

/// Guarded by `Slot::lock`. The reactor takes whole chunks out before it sends them, so the lock
/// is never held during a `sendfile`.
#[derive(Default)]
pub(crate) struct Output {
    /// 0: no connection. Rows for another generation are dropped.
    pub(crate) generation: u32,
    /// The socket. Only the owning reactor closes it, under the lock: so the submitting thread
    /// never writes to a descriptor that has become somebody else's.
    pub(crate) socket: Option<OwnedFd>,
    pub(crate) outbound: bool,
    pub(crate) peer: Peer,
    /// Sequence of the next answer to go out.
    pub(crate) next: u32,
    /// In order, to be sent.
    ready: VecDeque<Chunk>,
    /// Answers that came early: index 0 is that of `next`.
    early: VecDeque<Option<Answer>>,
    /// The reactor is sending, or was asked to: nobody else may.
    pub(crate) writing: bool,
    /// Already on the list of connections to look at when the plan is through.
    pub(crate) touched: bool,
    /// A CLOSE row came: what is in order is sent, then the connection is closed.
    pub(crate) closing: bool,
    /// Not read before this time, in the network's milliseconds.
    pub(crate) muted_until: u64,
}

impl Output {
    /// Queues an answer, or puts it aside until it is its turn. Returns how many frames are
    /// answered in order now.
    pub(crate) fn answer(&mut self, ahead: usize, answer: Answer) -> u32 {
        if ahead > 0 {
            if self.early.len() <= ahead {
                self.early.resize_with(ahead + 1, || None);
            }
            self.early[ahead] = Some(answer);
            return 0;
        }
        self.queue(answer);
        let mut count = 1;
        self.early.pop_front();
        while let Some(Some(_)) = self.early.front() {
            if let Some(Some(answer)) = self.early.pop_front() {
                self.queue(answer);
                count += 1;
            }
        }
        if self.early.is_empty() {
            self.early = VecDeque::new();
        }
        self.next = self.next.wrapping_add(count);
        count
    }

    /// Whether frame `ahead` places behind the next one has its answer already.
    pub(crate) fn is_answered(&self, ahead: usize) -> bool {
        matches!(self.early.get(ahead), Some(Some(_)))
    }

    /// Queues an answer whose turn it is, or a request.
    pub(crate) fn queue(&mut self, answer: Answer) {
        for chunk in answer.chunks {
            match (self.ready.back_mut(), chunk) {
                (Some(Chunk::Bytes { bytes: last, .. }), Chunk::Bytes { bytes, sent: 0 })
                    if bytes.len() <= INLINE_BYTES_MAX =>
                {
                    last.extend_from_slice(&bytes);
                }
                (_, chunk) => self.ready.push_back(chunk),
            }
        }
    }

    /// Sends what is ready if that is cheap and nobody else is at it. Returns the bytes sent, and
    /// whether the reactor has to go on.
    pub(crate) fn send_inline(&mut self) -> (u64, bool) {
        if self.writing || self.ready.is_empty() {
            return (0, false);
        }
        let Some(socket) = self.socket.as_ref().map(AsRawFd::as_raw_fd) else {
            return (0, false);
        };
        self.writing = true;
        let [Chunk::Bytes { bytes, sent }] = self.ready.make_contiguous() else {
            return (0, true);
        };
        if bytes.len() > INLINE_BYTES_MAX {
            return (0, true);
        }
        match sys::send(socket, &[buffer(&bytes[*sent..])], false) {
            Moved::Bytes(count) if *sent + count == bytes.len() => {
                self.ready = VecDeque::new();
                self.writing = false;
                (count as u64, false)
            }
            Moved::Bytes(count) => {
                *sent += count;
                (count as u64, true)
            }
            // The reactor will meet the same error and close the connection.
            Moved::Blocked | Moved::Failed(_) => (0, true),
        }
    }

    /// Instead of `send_inline`, with the same result.
    pub(crate) fn leave_to_reactor(&mut self) -> (u64, bool) {
        if self.writing || self.ready.is_empty() || self.socket.is_none() {
            return (0, false);
        }
        self.writing = true;
        (0, true)
    }

    /// Whether nothing in order is left to send, here or in the reactor's hands.
    pub(crate) fn is_sent(&self) -> bool {
        self.ready.is_empty() && !self.writing
    }

    /// Hands the reactor what is ready; when there is nothing, it is the reactor's turn no more.
    pub(crate) fn take_ready(&mut self) -> VecDeque<Chunk> {
        self.writing = !self.ready.is_empty();
        std::mem::take(&mut self.ready)
    }

    /// Ends the generation. The caller drops what it gets after the lock is gone: files and the
    /// socket are closed by that.
    pub(crate) fn end(&mut self) -> Output {
        std::mem::take(self)
    }
}

/// How an attempt to send ended.
pub(crate) enum Sent {
    /// Everything is out.
    All,
    /// The budget is used up; there is more.
    Some,
    /// The socket takes no more for now.
    Blocked,
    /// The peer is gone, or a file cannot be read or is shorter than promised.
    Failed(CloseReason),
}

/// Sends chunks until the queue is empty, the socket is full or `budget` bytes are out. Counts
/// them in `moved`.
pub(crate) fn send_chunks(
    socket: RawFd,
    chunks: &mut VecDeque<Chunk>,
    budget: u64,
    moved: &mut u64,
) -> Sent {
    while let Some(first) = chunks.front_mut() {
        if *moved >= budget {
            return Sent::Some;
        }
        let result = match first {
            Chunk::File {
                file,
                position,
                left,
            } => {
                let step = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(FILE_STEP_BYTES);
                sys::send_file(socket, file.raw_fd(), *position, step)
            }
            Chunk::Bytes { .. } => send_bytes(socket, chunks),
        };
        match result {
            Moved::Bytes(0) => return Sent::Failed(CloseReason::Io),
            Moved::Bytes(count) => {
                *moved += count as u64;
                advance(chunks, count as u64);
            }
            Moved::Blocked => return Sent::Blocked,
            Moved::Failed(libc::EPIPE | libc::ECONNRESET | libc::ETIMEDOUT) => {
                return Sent::Failed(CloseReason::Peer);
            }
            Moved::Failed(_) => return Sent::Failed(CloseReason::Io),
        }
    }
    Sent::All
}

/// Sends the byte chunks at the front with one call.
fn send_bytes(socket: RawFd, chunks: &VecDeque<Chunk>) -> Moved {
    let mut buffers = [buffer(&[]); BUFFERS_PER_SEND];
    let mut count = 0;
    for chunk in chunks.iter().take(BUFFERS_PER_SEND) {
        let Chunk::Bytes { bytes, sent } = chunk else {
            break;
        };
        buffers[count] = buffer(&bytes[*sent..]);
        count += 1;
    }
    // A header waits for the file that follows it, so that both leave in full segments.
    sys::send(socket, &buffers[..count], count < chunks.len())
}

fn advance(chunks: &mut VecDeque<Chunk>, count: u64) {
    let mut left_over = count;
    while let Some(chunk) = chunks.front_mut() {
        let done = match chunk {
            Chunk::Bytes { bytes, sent } => {
                let step = left_over.min((bytes.len() - *sent) as u64);
                *sent += step as usize;
                left_over -= step;
                *sent == bytes.len()
            }
            Chunk::File { position, left, .. } => {
                let step = left_over.min(*left);
                *position += step;
                *left -= step;
                left_over -= step;
                *left == 0
            }
        };
        if !done {
            return;
        }
        chunks.pop_front();
    }
}

fn buffer(bytes: &[u8]) -> libc::iovec {
    libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    }
}
