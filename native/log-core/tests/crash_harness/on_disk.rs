//! Looks at a machine's files directly, without the store: what a power failure would leave.

use std::path::Path;

use mantou_log_core::batch::BatchView;
use mantou_log_core::sim::SimVfs;

/// The offset behind the whole batches that lie, without a gap, in the log folder's segments; the
/// last of them counts. -1: no segment.
pub fn end_on_disk(vfs: &SimVfs, folder: &Path) -> i64 {
    let mut end = -1;
    for path in vfs.files() {
        let is_segment =
            path.parent() == Some(folder) && path.extension().is_some_and(|e| e == "log");
        if !is_segment {
            continue;
        }
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let Ok(base) = name.parse::<i64>() else {
            continue;
        };
        let bytes = vfs.contents(&path).unwrap_or_default();
        let (mut next, mut rest) = (base, &bytes[..]);
        while let Ok(view) = BatchView::parse(rest) {
            if view.header.base_offset != next || !view.is_intact() {
                break;
            }
            next = view.header.next_offset();
            rest = &rest[view.bytes().len()..];
        }
        end = end.max(next);
    }
    end
}
