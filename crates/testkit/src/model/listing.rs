//! Dumps of keys: an item a piece.

use std::collections::VecDeque;

use larder_protocol::{DumpForm, KeyDump, Status, encode_key, is_key_plain, push_uri_encoded};

use super::value::Counted;
use super::{Item, Model};

/// A dump on its way: what is left to say.
#[derive(Debug)]
pub struct ModelListing {
    pieces: VecDeque<Vec<u8>>,
    _counted: Counted,
}

impl ModelListing {
    /// Appends the next piece; returns whether there is more.
    pub(super) fn push(&mut self, out: &mut Vec<u8>) -> bool {
        out.extend(self.pieces.pop_front().unwrap_or_default());
        !self.pieces.is_empty()
    }
}

impl Model {
    /// Everything in a dump; small items are all of one class, and there is no other.
    pub(super) fn dump(&mut self, request: &KeyDump<'_>) -> Result<ModelListing, Status> {
        let classes = request.classes.classes()?;
        let keys: Vec<_> = self.items.keys().cloned().collect();
        let mut pieces = VecDeque::from([b"OK\r\n".to_vec()]);
        for key in keys.iter().filter(|_| classes.has(1)) {
            let Some(item) = self.visible(key).cloned() else { continue };
            pieces.push_back(match request.form {
                DumpForm::Details => {
                    details(key, &item, self.item_len(key, item.flags, item.data.len()))
                }
                DumpForm::Requests => retrieval(key, &item),
            });
        }
        pieces.push_back(match request.form {
            DumpForm::Details => b"END\r\n".to_vec(),
            DumpForm::Requests => b"EN\r\n".to_vec(),
        });
        Ok(ModelListing { pieces, _counted: Counted::new(&self.listings) })
    }
}

fn details(key: &[u8], item: &Item, size: usize) -> Vec<u8> {
    let mut line = b"key=".to_vec();
    push_uri_encoded(&mut line, key);
    let expiry = item.expiry.unwrap_or(-1);
    let fetch = if item.was_fetched { "yes" } else { "no" };
    let (la, cas, flags) = (item.accessed, item.cas, item.flags);
    let times = format!(" exp={expiry} la={la} cas={cas} fetch={fetch}");
    let rest = format!("{times} cls=1 size={size} flags={flags} \n");
    line.extend_from_slice(rest.as_bytes());
    line
}

fn retrieval(key: &[u8], item: &Item) -> Vec<u8> {
    let mut line = b"mg ".to_vec();
    if item.is_key_encoded || !is_key_plain(key) {
        encode_key(&mut line, key);
        line.extend_from_slice(b" b");
    } else {
        line.extend_from_slice(key);
    }
    line.extend_from_slice(b"\r\n");
    line
}
