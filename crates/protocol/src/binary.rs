//! The binary protocol: frames of a head of 24 bytes and a body, which is extras, key and value.
//!
//! ```text
//!   0      1      2         4       5     6         8          12       16        24
//!   magic  opcode key len   extras  type  vbucket   body len   opaque   CAS       | extras | key | value |
//!                           len           or status                               └──── body len ────────┘
//! ```
//!
//! [`parse_head`] checks all lengths of a head against each other and against its opcode, before anything of the body is
//! looked at; [`parse_request`] reads extras and key once they are there. Where the value goes is the caller's business.
//!
//! ```
//! use larder_protocol::binary::{self, Frame, Header, Opcode, Request, Status};
//!
//! let extras = 60_u32.to_be_bytes();
//! let mut frame = Vec::new();
//! let asked = Frame { key: b"pear", extras: &extras, ..Frame::request(Opcode::Touch as u8, 7) };
//! asked.push(&mut frame);
//!
//! let (head, args) = frame.split_first_chunk().unwrap();
//! let head = binary::parse_head(head).unwrap();
//! assert_eq!(head.args_len(), args.len());
//! let Some(Request::Touch(touch)) = binary::parse_request(&head, args) else { panic!("a touch") };
//! assert_eq!((touch.key, touch.exptime), (&b"pear"[..], 60));
//!
//! let mut reply = Vec::new();
//! Frame::outcome(head.opcode as u8, head.opaque, Status::NotFound).push(&mut reply);
//! assert_eq!(Header::parse(reply.first_chunk().unwrap()).opaque, 7);
//! assert!(reply.ends_with(b"Not found"));
//! ```

mod frame;
mod head;
mod header;
mod opcode;
mod request;
mod status;

pub use frame::Frame;
pub use head::{BODY_LEN_MAX, Head, Refused, parse_head};
pub use header::{HEAD_LEN, Header, MAGIC_REQUEST, MAGIC_RESPONSE};
pub use opcode::Opcode;
pub use request::{Adjust, Delete, Get, Request, Storage, Touch, parse_request};
pub use status::Status;
