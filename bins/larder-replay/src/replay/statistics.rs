//! What the server says about itself, in `stats`.

use std::io::{self, BufRead, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Error;

/// The figures that a report shows. A server that does not know one has 0 of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Statistics {
    pub(super) version: String,
    pub(super) items: u64,
    pub(super) evictions: u64,
    pub(super) limit_bytes: u64,
    /// What memcached has allocated for items: every size class gets a page, even beyond the limit.
    pub(super) slab_bytes: u64,
}

impl Statistics {
    /// Asks on a connection of its own.
    pub(super) fn ask(server: SocketAddr, timeout: Duration) -> Result<Self, Error> {
        let stream = TcpStream::connect_timeout(&server, timeout).map_err(Error::Connect)?;
        let read = || -> io::Result<Self> {
            stream.set_read_timeout(Some(timeout))?;
            let mut reader = BufReader::new((&stream).take(ANSWER_LEN_MAX));
            let mut statistics = Self::default();
            let mut line = String::new();
            for request in ["stats\r\n", "stats slabs\r\n"] {
                (&stream).write_all(request.as_bytes())?;
                while reader.read_line(&mut line)? > 0 && line.trim_end() != "END" {
                    statistics.take(&line);
                    line.clear();
                }
                line.clear();
            }
            Ok(statistics)
        };
        read().map_err(Error::Lost)
    }

    fn take(&mut self, line: &str) {
        let Some((name, value)) = line.strip_prefix("STAT ").and_then(|line| line.split_once(' '))
        else {
            return;
        };
        let value = value.trim_end();
        let number = || value.parse().unwrap_or(0);
        match name {
            "version" => value.clone_into(&mut self.version),
            "curr_items" => self.items = number(),
            "evictions" => self.evictions = number(),
            "total_malloced" => self.slab_bytes = number(),
            "limit_maxbytes" => self.limit_bytes = number(),
            _ => {}
        }
    }
}

/// More than any memcached's answer.
const ANSWER_LEN_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::Statistics;

    #[test]
    fn lines_are_taken_by_name() {
        let mut statistics = Statistics::default();
        let lines = ["STAT version 1.6.18\r\n", "STAT curr_items 7\r\n", "STAT evictions 12\r\n"];
        let others = ["STAT limit_maxbytes 67108864\r\n", "STAT evictions_x 9\r\n", "STAT\r\n", ""];
        let slabs = ["STAT 1:chunk_size 96\r\n", "STAT total_malloced 34603008\r\n"];
        lines.iter().chain(&others).chain(&slabs).for_each(|line| statistics.take(line));
        let version = "1.6.18".to_owned();
        let expected = Statistics {
            version,
            items: 7,
            evictions: 12,
            limit_bytes: 67_108_864,
            slab_bytes: 34_603_008,
        };
        assert_eq!(statistics, expected);
    }
}
