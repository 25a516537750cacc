//! Pinned values, in pieces and counted.

use std::cell::Cell;
use std::rc::Rc;

use larder_connection::Value;

/// A value that a connection holds while its client reads it.
#[derive(Debug)]
pub struct ModelValue {
    data: Rc<Vec<u8>>,
    piece_len: usize,
    _counted: Counted,
}

impl ModelValue {
    pub(super) fn new(data: &Rc<Vec<u8>>, piece_len: usize, live: &Rc<Cell<usize>>) -> Self {
        Self { data: Rc::clone(data), piece_len, _counted: Counted::new(live) }
    }
}

impl Value for ModelValue {
    fn data_len(&self) -> usize {
        self.data.len()
    }

    fn piece(&self, offset: usize) -> &[u8] {
        let end = (offset / self.piece_len + 1) * self.piece_len;
        self.data.get(offset..end.min(self.data.len())).unwrap_or_default()
    }
}

/// Counted from its making to its drop.
#[derive(Debug)]
pub(super) struct Counted(Rc<Cell<usize>>);

impl Counted {
    pub(super) fn new(live: &Rc<Cell<usize>>) -> Self {
        live.set(live.get() + 1);
        Self(Rc::clone(live))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
