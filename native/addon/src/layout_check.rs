//! Compile-time proof that the cores and `layout.ts` speak of the same rows.

use mantou_log_core::batch::{InspectCode, inspect_flag as core_inspect_flag};
use mantou_log_core::{AT_LEAST_ONE_BATCH, HEADER_DOUBLES, StoreCode, append_flag as core_append};
use mantou_net_core::rows::{CloseReason, event_kind as core_event, plan_kind as core_plan};
use mantou_net_core::{EventRow, PlanRow};

use crate::layout;

const WORD_BYTES: usize = 4;

const _: () = {
    assert!(size_of::<EventRow>() == layout::EVENT_WORDS * WORD_BYTES);
    assert!(size_of::<PlanRow>() == layout::PLAN_WORDS * WORD_BYTES);
    assert!(align_of::<EventRow>() == 8 && align_of::<PlanRow>() == 8);
    assert!(HEADER_DOUBLES == layout::BATCH_HEADER_DOUBLES);
};

macro_rules! same {
    ($core:ident, $layout:ident: $($name:ident),+ $(,)?) => {
        const _: () = { $(assert!($core::$name == layout::$layout::$name);)+ };
    };
}

same!(core_event, event_kind: OPENED, FRAME, CLOSED, CONNECTED, CONNECT_FAILED, WRITTEN, DURABLE,
    LOG_FAILED, LOCATED, STORE_STATE);
same!(core_plan, plan_kind: RESPOND, SKIP, CLOSE, SEND, SEGMENT_BYTES, SEGMENT_FILE, RELEASE,
    RELEASE_PIN, MUTE, FRAME_LIMIT);
same!(core_append, append_flag: NOTIFY_WRITTEN, LOG_APPEND_TIME);
same!(core_inspect_flag, inspect_flag: VALIDATE_RECORDS, KEYS_REQUIRED);

macro_rules! same_variants {
    ($core:ident, $layout:ident: $($variant:ident = $name:ident),+ $(,)?) => {
        const _: () = { $(assert!($core::$variant as u32 == layout::$layout::$name);)+ };
    };
}

same_variants!(CloseReason, close_reason: Peer = PEER, Requested = REQUESTED, Idle = IDLE,
    FrameTooLarge = FRAME_TOO_LARGE, FrameInvalid = FRAME_INVALID, Limit = LIMIT, Io = IO,
    Shutdown = SHUTDOWN);
same_variants!(StoreCode, store_code: Ok = OK, LowSpace = LOW_SPACE, WriteFailed = WRITE_FAILED,
    SyncFailed = SYNC_FAILED, Corrupt = CORRUPT, ReadFailed = READ_FAILED, Closed = CLOSED);
same_variants!(InspectCode, inspect_code: Ok = OK, Truncated = TRUNCATED, Magic = MAGIC,
    Trailing = TRAILING, Crc = CRC, Count = COUNT, Compression = COMPRESSION, Records = RECORDS,
    KeyMissing = KEY_MISSING, InflatedSize = INFLATED_SIZE, Attributes = ATTRIBUTES,
    TimestampType = TIMESTAMP_TYPE);

const _: () = assert!(AT_LEAST_ONE_BATCH == layout::locate_flag::AT_LEAST_ONE_BATCH);
