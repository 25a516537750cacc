//! A file's bytes, decompressed if they are compressed: what they begin with tells.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// An open trace.
pub(super) struct Source(Box<dyn BufRead>);

impl Source {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(BUFFER_LEN, File::open(path)?);
        let start = file.fill_buf()?;
        if start.starts_with(&[0x1f, 0x8b]) {
            return Ok(Self::buffered(MultiGzDecoder::new(file)));
        }
        if start.starts_with(b"\xfd7zXZ\0") {
            return Ok(Self::buffered(XzReader::new_mem_limit(file, true, XZ_MEMORY_MAX_KIB)));
        }
        if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return StreamingDecoder::new(file).map(Self::buffered).map_err(io::Error::other);
        }
        Ok(Self(Box::new(file)))
    }

    fn buffered(reader: impl Read + 'static) -> Self {
        Self(Box::new(BufReader::with_capacity(BUFFER_LEN, reader)))
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

const BUFFER_LEN: usize = 256 << 10;
/// A file of the highest preset needs 65 MiB.
const XZ_MEMORY_MAX_KIB: u32 = 512 << 10;
