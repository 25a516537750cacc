//! What a watcher is told: bytes that a test puts there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use larder_connection::Feed;

use super::value::Counted;

/// A watcher's end of [`super::Model::tell`].
#[derive(Debug)]
pub struct ModelFeed {
    waiting: Rc<RefCell<Vec<u8>>>,
    _counted: Counted,
}

impl ModelFeed {
    /// A feed of what is put into `waiting`.
    pub(super) fn new(waiting: &Rc<RefCell<Vec<u8>>>, live: &Rc<Cell<usize>>) -> Self {
        Self { waiting: Rc::clone(waiting), _counted: Counted::new(live) }
    }
}

impl Feed for ModelFeed {
    fn has_lines(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    fn push_lines(&mut self, room: usize, out: &mut Vec<u8>) {
        let mut waiting = self.waiting.borrow_mut();
        let len = waiting.len().min(room);
        out.extend(waiting.drain(..len));
    }
}
