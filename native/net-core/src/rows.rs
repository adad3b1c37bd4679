//! The rows of `packages/io/src/layout.ts` as Rust sees them: 8 words of 32 bits, the doubles in
//! them little-endian. A binding asserts these numbers against the generated layout.

/// Kinds of events (`EventKind`).
pub mod event_kind {
    pub const OPENED: u32 = 1;
    pub const FRAME: u32 = 2;
    pub const CLOSED: u32 = 3;
    pub const CONNECTED: u32 = 4;
    pub const CONNECT_FAILED: u32 = 5;
    pub const WRITTEN: u32 = 16;
    pub const DURABLE: u32 = 17;
    pub const LOG_FAILED: u32 = 18;
    pub const LOCATED: u32 = 19;
    pub const STORE_STATE: u32 = 20;
}

/// Why a connection ended (`CloseReason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum CloseReason {
    Peer = 0,
    Requested = 1,
    Idle = 2,
    FrameTooLarge = 3,
    FrameInvalid = 4,
    Limit = 5,
    Io = 6,
    Shutdown = 7,
}

/// Kinds of plan rows (`PlanKind`).
pub mod plan_kind {
    pub const RESPOND: u32 = 1;
    pub const SKIP: u32 = 2;
    pub const CLOSE: u32 = 3;
    pub const SEND: u32 = 4;
    pub const SEGMENT_BYTES: u32 = 5;
    pub const SEGMENT_FILE: u32 = 6;
    pub const RELEASE: u32 = 7;
    pub const RELEASE_PIN: u32 = 8;
    pub const MUTE: u32 = 9;
    pub const FRAME_LIMIT: u32 = 10;
}

/// One event, 32 bytes, aligned like the table it is copied into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct EventRow {
    pub words: [u32; 8],
}

const _: () = assert!(size_of::<EventRow>() == 32 && size_of::<PlanRow>() == 32);

impl EventRow {
    /// A connection was accepted on the listener `listener_id`.
    pub fn opened(connection: u32, generation: u32, listener_id: u32) -> Self {
        Self {
            words: [
                event_kind::OPENED,
                connection,
                generation,
                listener_id,
                0,
                0,
                0,
                0,
            ],
        }
    }

    /// A whole frame is in the arena. Its receiver owns one reference to the run that holds it.
    ///
    /// `offset` and `length` leave out the size prefix; `api` is key << 16 | version (0 on
    /// outbound connections); `sequence` is the frame's place in its connection's order.
    pub fn frame(
        connection: u32,
        generation: u32,
        offset: u32,
        length: u32,
        api: u32,
        correlation_id: u32,
        sequence: u32,
    ) -> Self {
        Self {
            words: [
                event_kind::FRAME,
                connection,
                generation,
                offset,
                length,
                api,
                correlation_id,
                sequence,
            ],
        }
    }

    /// The last event of a connection.
    pub fn closed(connection: u32, generation: u32, reason: CloseReason) -> Self {
        Self {
            words: [
                event_kind::CLOSED,
                connection,
                generation,
                0,
                reason as u32,
                0,
                0,
                0,
            ],
        }
    }

    /// An outbound connection stands.
    pub fn connected(connection: u32, generation: u32, connect_id: u32) -> Self {
        Self {
            words: [
                event_kind::CONNECTED,
                connection,
                generation,
                connect_id,
                0,
                0,
                0,
                0,
            ],
        }
    }

    /// An outbound connection did not come about; `errno` says why. No CLOSED follows.
    pub fn connect_failed(connect_id: u32, errno: u32) -> Self {
        Self {
            words: [event_kind::CONNECT_FAILED, 0, 0, connect_id, errno, 0, 0, 0],
        }
    }

    /// Everything below `end_offset` of a log is in the page cache.
    pub fn written(log_id: u32, end_offset: u64) -> Self {
        Self::log(event_kind::WRITTEN, log_id, 0, 0, end_offset, 0, 0)
    }

    /// Everything below `end_offset` of a log is on disk.
    pub fn durable(log_id: u32, end_offset: u64) -> Self {
        Self::log(event_kind::DURABLE, log_id, 0, 0, end_offset, 0, 0)
    }

    /// A log went offline; `code` is a `StoreCode`.
    pub fn log_failed(log_id: u32, code: u32) -> Self {
        Self::log(event_kind::LOG_FAILED, log_id, code, 0, 0, 0, 0)
    }

    /// The state of the data directory changed; `code` is a `StoreCode`.
    pub fn store_state(code: u32) -> Self {
        Self::log(event_kind::STORE_STATE, 0, code, 0, 0, 0, 0)
    }

    /// The late answer to a locate row; `code` is a `LocateCode`, `position` is in the file.
    pub fn located(log_id: u32, code: u32, tag: u32, position: u64, pin: u32, length: u32) -> Self {
        Self::log(
            event_kind::LOCATED,
            log_id,
            code,
            tag,
            position,
            pin,
            length,
        )
    }

    fn log(kind: u32, id: u32, code: u32, tag: u32, value: u64, pin: u32, length: u32) -> Self {
        let [low, high] = split_f64(value as f64);
        Self {
            words: [kind, id, code, tag, low, high, pin, length],
        }
    }

    pub fn kind(&self) -> u32 {
        self.words[0]
    }

    pub fn connection(&self) -> u32 {
        self.words[1]
    }

    pub fn generation(&self) -> u32 {
        self.words[2]
    }

    /// `offsetF64` of log rows.
    pub fn value(&self) -> f64 {
        join_f64(self.words[4], self.words[5])
    }
}

/// One row of a plan, 32 bytes. See `Plan` in layout.ts for the meaning of the words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct PlanRow {
    pub words: [u32; 8],
}

impl PlanRow {
    /// Answers frame `sequence` with the `segment_count` rows that follow, `total_bytes` in all.
    pub fn respond(
        connection: u32,
        generation: u32,
        sequence: u32,
        segment_count: u32,
        total_bytes: u32,
    ) -> Self {
        Self {
            words: [
                plan_kind::RESPOND,
                connection,
                generation,
                sequence,
                segment_count,
                total_bytes,
                0,
                0,
            ],
        }
    }

    /// Frame `sequence` has no answer.
    pub fn skip(connection: u32, generation: u32, sequence: u32) -> Self {
        Self {
            words: [
                plan_kind::SKIP,
                connection,
                generation,
                sequence,
                0,
                0,
                0,
                0,
            ],
        }
    }

    pub fn close(connection: u32, generation: u32) -> Self {
        Self {
            words: [plan_kind::CLOSE, connection, generation, 0, 0, 0, 0, 0],
        }
    }

    /// Sends a request made of the `segment_count` rows that follow on an outbound connection.
    pub fn send(connection: u32, generation: u32, segment_count: u32, total_bytes: u32) -> Self {
        Self {
            words: [
                plan_kind::SEND,
                connection,
                generation,
                0,
                segment_count,
                total_bytes,
                0,
                0,
            ],
        }
    }

    pub fn segment_bytes(offset: u32, length: u32) -> Self {
        Self {
            words: [plan_kind::SEGMENT_BYTES, offset, length, 0, 0, 0, 0, 0],
        }
    }

    pub fn segment_file(pin: u32, position: u64, length: u32) -> Self {
        let [low, high] = split_f64(position as f64);
        Self {
            words: [plan_kind::SEGMENT_FILE, pin, length, 0, low, high, 0, 0],
        }
    }

    pub fn release(handle: u32) -> Self {
        Self {
            words: [plan_kind::RELEASE, handle, 0, 0, 0, 0, 0, 0],
        }
    }

    pub fn release_pin(pin: u32) -> Self {
        Self {
            words: [plan_kind::RELEASE_PIN, pin, 0, 0, 0, 0, 0, 0],
        }
    }

    /// Does not read the connection for `ms` milliseconds.
    pub fn mute(connection: u32, generation: u32, ms: u32) -> Self {
        Self {
            words: [plan_kind::MUTE, connection, generation, ms, 0, 0, 0, 0],
        }
    }

    pub fn frame_limit(connection: u32, generation: u32, bytes: u32) -> Self {
        Self {
            words: [
                plan_kind::FRAME_LIMIT,
                connection,
                generation,
                bytes,
                0,
                0,
                0,
                0,
            ],
        }
    }

    /// `filePositionF64` of SEGMENT_FILE rows.
    pub fn file_position(&self) -> f64 {
        join_f64(self.words[4], self.words[5])
    }
}

fn split_f64(value: f64) -> [u32; 2] {
    let bits = value.to_bits();
    [bits as u32, (bits >> 32) as u32]
}

fn join_f64(low: u32, high: u32) -> f64 {
    f64::from_bits(u64::from(low) | u64::from(high) << 32)
}
