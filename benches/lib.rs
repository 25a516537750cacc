//! Inputs that the benchmarks share.

/// A key as caches see them: a prefix and a number, 20 bytes.
#[must_use]
pub fn key(number: usize) -> String {
    format!("session:{number:012}")
}

/// One retrieval of many keys, with its line end.
#[must_use]
pub fn get_line(key_count: usize) -> String {
    let keys: Vec<String> = (0..key_count).map(key).collect();
    format!("get {}\r\n", keys.join(" "))
}

/// A store with its data block.
#[must_use]
pub fn set_request(number: usize, value_len: usize) -> String {
    format!("set {} 0 0 {value_len}\r\n{}\r\n", key(number), "v".repeat(value_len))
}
