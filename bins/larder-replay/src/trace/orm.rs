//! The orm format: object numbers of 32 bits, least significant byte first, one an access.
//!
//! Sizes are not recorded. An object's value is drawn from a lognormal law with a mean of 4 KiB, by the object's number and
//! nothing else: the same object has the same size in every trace. Times are not recorded either: a trace lasts an hour.

use super::Numbers;
use crate::random::Random;
use crate::sizes::Sizes;
use crate::{Access, Verb};

/// The accesses in `bytes`, the first `limit` of them. Bytes that are left over make no access.
///
/// # Errors
/// None that bytes can cause; a sentence.
pub(crate) fn orm_accesses(bytes: &[u8], limit: usize) -> Result<Vec<Access>, String> {
    let sizes = Sizes::lognormal(VALUE_MEAN)?;
    let (objects, _) = bytes.as_chunks::<4>();
    let objects = &objects[..limit.min(objects.len())];
    let mut numbers = Numbers::default();
    let access = |(index, bytes): (usize, &[u8; 4])| {
        let object = u64::from(u32::from_le_bytes(*bytes));
        let value_len = sizes.value_len(&mut Random::new(SIZE_SEED, object));
        let at = u32::try_from(index * SPAN_S / objects.len()).unwrap_or(u32::MAX);
        Access { key: numbers.of(object), at, value_len, ttl: 0, key_len: KEY_LEN, verb: Verb::Get }
    };
    Ok(objects.iter().enumerate().map(access).collect())
}

/// Large enough that a hundredth of all bytes is some MiB.
const VALUE_MEAN: f64 = 4096.0;
const SIZE_SEED: u64 = 1;
const KEY_LEN: u16 = 20;
const SPAN_S: usize = 3600;

#[cfg(test)]
mod tests {
    use super::orm_accesses;

    #[test]
    fn numbers_are_accesses() {
        let bytes = [7, 0, 0, 1, 9, 0, 0, 0, 7, 0, 0, 1, 7, 0];
        let accesses = orm_accesses(&bytes, 10).unwrap();
        assert_eq!(accesses.iter().map(|access| access.key).collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!(accesses[0].value_len, accesses[2].value_len);
        assert_ne!(accesses[0].value_len, accesses[1].value_len);
        assert_eq!(accesses.iter().map(|access| access.at).collect::<Vec<_>>(), [0, 1200, 2400]);
        assert_eq!(orm_accesses(&bytes, 1).unwrap().len(), 1);
        assert_eq!(orm_accesses(&[], 1).unwrap(), []);
    }
}
