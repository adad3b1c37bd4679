//! Plain objects of the cold calls, as `ports.ts` names their fields. 64-bit numbers are doubles.
//! Topic and directory ids cross as 32 hexadecimal digits; TypeScript knows Kafka's text form.

use mantou_log_core::{
    Durability, Flush, LogConfig, LogSpec, LogState, RecordPosition, Reply, SegmentInfo,
    StoreDescription, StoreError, StoreOptions, StoredLog, TopicId,
};
use napi::Result;
use napi_derive::napi;

use crate::clean_objects::JsCleanOutcome;
use crate::engine::invalid;
use crate::outbox::{Answer, Completion};

#[napi(object)]
pub struct JsStoreOptions {
    pub data_directory: String,
    pub reserve_bytes: f64,
    pub free_bytes_min: f64,
    pub group_hold_ms: f64,
    pub flush: String,
    pub files_open_max: u32,
}

impl TryFrom<JsStoreOptions> for StoreOptions {
    type Error = napi::Error;

    fn try_from(options: JsStoreOptions) -> Result<StoreOptions> {
        let flush = match options.flush.as_str() {
            "auto" => Flush::Auto,
            "pool" => Flush::Pool,
            "syncfs" => Flush::Syncfs,
            other => return Err(invalid(format!("flush {other:?}"))),
        };
        Ok(StoreOptions {
            data_directory: options.data_directory.into(),
            reserve_bytes: options.reserve_bytes as u64,
            free_bytes_min: options.free_bytes_min as u64,
            group_hold_ms: options.group_hold_ms,
            flush,
            files_open_max: options.files_open_max,
        })
    }
}

#[napi(object)]
pub struct JsLogConfig {
    pub segment_bytes: f64,
    pub segment_ms: f64,
    pub segment_jitter_ms: f64,
    pub segment_index_bytes: f64,
    pub index_interval_bytes: f64,
    pub file_delete_delay_ms: f64,
    pub preallocate: bool,
    pub durability: String,
}

impl TryFrom<JsLogConfig> for LogConfig {
    type Error = napi::Error;

    fn try_from(config: JsLogConfig) -> Result<LogConfig> {
        let durability = match config.durability.as_str() {
            "fsync" => Durability::Fsync,
            "page-cache" => Durability::PageCache,
            other => return Err(invalid(format!("durability {other:?}"))),
        };
        Ok(LogConfig {
            segment_bytes: config.segment_bytes as u64,
            segment_ms: config.segment_ms as i64,
            segment_jitter_ms: config.segment_jitter_ms as i64,
            segment_index_bytes: config.segment_index_bytes as u32,
            index_interval_bytes: config.index_interval_bytes as u32,
            file_delete_delay_ms: config.file_delete_delay_ms as u64,
            preallocate: config.preallocate,
            durability,
        })
    }
}

#[napi(object)]
pub struct JsLogSpec {
    pub log_id: u32,
    pub topic: String,
    pub topic_id: String,
    pub partition: i32,
    pub config: JsLogConfig,
}

impl TryFrom<JsLogSpec> for LogSpec {
    type Error = napi::Error;

    fn try_from(spec: JsLogSpec) -> Result<LogSpec> {
        Ok(LogSpec {
            log: spec.log_id,
            topic: spec.topic,
            topic_id: topic_id(&spec.topic_id)?,
            partition: spec.partition,
            config: spec.config.try_into()?,
        })
    }
}

#[napi(object)]
pub struct JsLogState {
    pub log_id: u32,
    pub start_offset: f64,
    pub end_offset: f64,
    pub largest_timestamp: f64,
    pub cut_bytes: f64,
    /// -1: none.
    pub corrupt_from_offset: f64,
}

impl From<&LogState> for JsLogState {
    fn from(state: &LogState) -> JsLogState {
        JsLogState {
            log_id: state.log,
            start_offset: state.start_offset as f64,
            end_offset: state.end_offset as f64,
            largest_timestamp: state.largest_timestamp as f64,
            cut_bytes: state.cut_bytes as f64,
            corrupt_from_offset: state
                .corrupt_from_offset
                .map_or(-1.0, |offset| offset as f64),
        }
    }
}

#[napi(object)]
pub struct JsSegmentInfo {
    pub base_offset: f64,
    pub bytes: f64,
    pub largest_timestamp: f64,
}

impl From<&SegmentInfo> for JsSegmentInfo {
    fn from(info: &SegmentInfo) -> JsSegmentInfo {
        JsSegmentInfo {
            base_offset: info.base_offset as f64,
            bytes: info.bytes as f64,
            largest_timestamp: info.largest_timestamp as f64,
        }
    }
}

#[napi(object)]
pub struct JsPosition {
    pub offset: f64,
    pub timestamp: f64,
}

impl From<RecordPosition> for JsPosition {
    fn from(position: RecordPosition) -> JsPosition {
        JsPosition {
            offset: position.offset as f64,
            timestamp: position.timestamp as f64,
        }
    }
}

#[napi(object)]
pub struct JsStoredLog {
    pub topic: String,
    pub topic_id: String,
    pub partition: i32,
}

impl From<&StoredLog> for JsStoredLog {
    fn from(log: &StoredLog) -> JsStoredLog {
        JsStoredLog {
            topic: log.topic.clone(),
            topic_id: hexadecimal(&log.topic_id),
            partition: log.partition,
        }
    }
}

#[napi(object)]
pub struct JsStoreDescription {
    pub clean: bool,
    pub cluster_id: Option<String>,
    pub node_id: Option<i32>,
    pub directory_id: String,
    pub logs: Vec<JsStoredLog>,
    pub file_system: String,
    pub flush_strategy: String,
}

impl From<StoreDescription> for JsStoreDescription {
    fn from(description: StoreDescription) -> JsStoreDescription {
        JsStoreDescription {
            clean: description.clean,
            cluster_id: description.cluster_id,
            node_id: description.node_id,
            directory_id: hexadecimal(&description.directory_id),
            logs: description.logs.iter().map(JsStoredLog::from).collect(),
            file_system: description.file_system,
            flush_strategy: description.flush_strategy,
        }
    }
}

/// A finished cold call; request 0 is none, but a message for the log. `code` tells that it failed; otherwise at most one of the rest is there,
/// and none where the answer is "nothing".
#[napi(object)]
#[derive(Default)]
pub struct JsCompletion {
    pub request: f64,
    pub code: Option<String>,
    pub message: Option<String>,
    pub description: Option<JsStoreDescription>,
    pub states: Option<Vec<JsLogState>>,
    pub position: Option<JsPosition>,
    pub segments: Option<Vec<JsSegmentInfo>>,
    pub names: Option<Vec<String>>,
    pub cleaned: Option<JsCleanOutcome>,
    /// Bytes to be fetched with `takeBytes`.
    pub bytes_length: Option<f64>,
}

/// The object of a completion, and the bytes that it announces.
pub fn completion_object(completion: Completion) -> (JsCompletion, Option<Vec<u8>>) {
    let mut object = JsCompletion {
        request: completion.request as f64,
        ..Default::default()
    };
    let mut bytes = None;
    match completion.result {
        Err(StoreError { code, message }) => {
            object.code = Some(code);
            object.message = Some(message);
        }
        Ok(Answer::Words(words)) => object.message = Some(words),
        Ok(Answer::Opened(description)) => object.description = Some(description.into()),
        Ok(Answer::Reply(reply)) => match reply {
            Reply::Done => {}
            Reply::Logs(states) => {
                object.states = Some(states.iter().map(JsLogState::from).collect());
            }
            Reply::State(state) => object.states = Some(vec![JsLogState::from(&state)]),
            Reply::Position(position) => object.position = position.map(JsPosition::from),
            Reply::Segments(segments) => {
                object.segments = Some(segments.iter().map(JsSegmentInfo::from).collect());
            }
            Reply::Names(names) => object.names = Some(names),
            Reply::Cleaned(outcome) => object.cleaned = Some(outcome.into()),
            Reply::File(file) => bytes = file,
            Reply::Bytes(read) => bytes = Some(read),
            Reply::Headers(doubles) => {
                bytes = Some(
                    doubles
                        .iter()
                        .flat_map(|value| value.to_le_bytes())
                        .collect(),
                );
            }
        },
    }
    object.bytes_length = bytes.as_ref().map(|bytes| bytes.len() as f64);
    (object, bytes)
}

fn topic_id(digits: &str) -> Result<TopicId> {
    if digits.len() != 32 {
        return Err(invalid(format!("id {digits:?}")));
    }
    u128::from_str_radix(digits, 16)
        .map(u128::to_be_bytes)
        .map_err(|_| invalid(format!("id {digits:?}")))
}

fn hexadecimal(id: &TopicId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}
