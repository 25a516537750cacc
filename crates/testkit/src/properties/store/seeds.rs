//! What fuzzing the store starts from: operations of a few kinds at a time, so that they meet.

use super::HEAD_LEN;
use super::operation::{
    ABANDON, ADJUST, ADVANCE, AMEND, COMMIT, DELETE, DELETE_IF, DRAFT, FEED, FETCH, FILL, FLUSH,
    FLUSH_AT, LIMIT, Operation, PIN, PUT, REFRESH, RESET_STATS, STARVE, SWEEP, SWEEP_ALL, TOUCH,
    UNPIN, VISIT, VISIT_TOUCHING, WALK,
};
use crate::script::Choices;

/// Names and inputs.
pub(crate) fn store_seeds() -> impl Iterator<Item = (String, Vec<u8>)> {
    let themes = THEMES.iter().zip(0..);
    themes.flat_map(|((name, codes), theme)| {
        (0..VARIANTS)
            .map(move |variant| (format!("{name}-{variant}"), input(codes, theme, variant)))
    })
}

/// Operations of these kinds, on a store that is made another way in each variant.
fn input(codes: &[u8], theme: u8, variant: u8) -> Vec<u8> {
    let mut state = u64::from(theme) * 256 + u64::from(variant);
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_le_bytes()[5]
    };
    let mut input: Vec<u8> = (0..HEAD_LEN).map(|_| byte()).collect();
    // With slices and without, and limits from the first on.
    input[..2].copy_from_slice(&[variant, variant]);
    while input.len() < LEN {
        let code = codes[usize::from(byte()) % codes.len()];
        let mut operation = vec![code];
        operation.extend((0..OPERANDS_MAX).map(|_| byte()));
        let mut choices = Choices::new(&operation);
        drop(Operation::read(&mut choices));
        input.extend_from_slice(&operation[..choices.taken().min(operation.len())]);
    }
    input
}

const THEMES: [(&str, &[u8]); 10] = [
    ("amended", &[PUT, AMEND, FETCH, DELETE_IF, VISIT, ADVANCE]),
    ("counted", &[PUT, ADJUST, ADJUST, PIN, UNPIN, VISIT]),
    ("drafts", &[DRAFT, FEED, FEED, COMMIT, ABANDON, PUT, FILL]),
    ("expiry", &[PUT, FILL, REFRESH, TOUCH, VISIT_TOUCHING, ADVANCE, SWEEP, SWEEP_ALL, VISIT]),
    ("filled", &[FILL, FILL, FILL, REFRESH, WALK, DELETE, PUT]),
    ("flushed", &[FILL, PUT, FLUSH, FLUSH_AT, ADVANCE, SWEEP, VISIT, WALK]),
    ("joined", &[PUT, PUT, PUT, PIN, UNPIN, FETCH, VISIT]),
    ("limits", &[FILL, PUT, LIMIT, SWEEP, SWEEP_ALL, DRAFT, FEED, PIN, UNPIN]),
    ("starved", &[FILL, PUT, PUT, STARVE, STARVE, DRAFT, FEED, COMMIT, ADJUST, AMEND, DELETE]),
    ("walked", &[PUT, FILL, WALK, WALK, WALK, DELETE, ADJUST, TOUCH, ADVANCE, RESET_STATS]),
];

const VARIANTS: u8 = 5;

/// About sixty operations.
const LEN: usize = 300;

/// No operation has more.
const OPERANDS_MAX: usize = 16;
