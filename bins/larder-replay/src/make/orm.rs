//! The recorded traces of a shop: object numbers only, so that sizes and times are assigned here.

use std::io::Read as _;

use lzma_rust2::XzReader;

use crate::Access;
use crate::trace::orm_accesses;

/// The accesses of a recording, the first `limit` of them.
///
/// # Errors
/// A sentence: the recording cannot be decompressed.
pub(super) fn recorded(compressed: &[u8], limit: usize) -> Result<Vec<Access>, String> {
    let mut bytes = Vec::new();
    XzReader::new(compressed, false).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    orm_accesses(&bytes, limit)
}

/// A busy time of day.
pub(super) const BUSY: &[u8] = include_bytes!("../../../../benches/traces/orm-busy.trace.xz");
/// The night.
pub(super) const NIGHT: &[u8] = include_bytes!("../../../../benches/traces/orm-night.trace.xz");
