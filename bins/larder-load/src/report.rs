//! What a run found, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::Plan;
use crate::process::Cpu;
use crate::run::Outcome;
use crate::tally::Tally;

/// The figures of a run. `Display` is the text for people; [`Report::json`] the same for programs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The load in one line: connections, pipeline, keys, mix.
    pub load: String,
    /// Keys stored before anything was measured.
    pub populated: u64,
    /// Length of the measured stage, up to its last reply.
    pub elapsed: Duration,
    /// Retrievals answered; one for several keys counts once.
    pub gets: u64,
    /// Stores answered `STORED`.
    pub sets: u64,
    /// Keys asked for and there.
    pub hits: u64,
    /// Keys asked for and not there.
    pub misses: u64,
    /// Requests answered by an error line, in the measured stage and while filling.
    pub errors: u64,
    /// Values that were not what their key must hold; only seen with `verify`.
    pub wrong_values: u64,
    /// Connections that ended before their time.
    pub lost_connections: u64,
    /// Requests whose reply never came.
    pub unanswered: u64,
    /// The first thing that went wrong.
    pub complaint: Option<String>,
    /// Bytes of requests.
    pub bytes_sent: u64,
    /// Bytes of replies.
    pub bytes_received: u64,
    /// Time from sending a turn to each of its replies.
    pub latency: Latency,
    /// What the server's process spent, if its id was given.
    pub server: Option<Cost>,
    /// Memory of the server's process that is resident at the end, in bytes.
    pub server_resident_bytes: Option<u64>,
    /// What this process spent, where the system tells.
    pub generator: Option<Cost>,
    threads: usize,
}

/// Percentiles of latency, each to three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Latency {
    pub mean: Duration,
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub p999: Duration,
    pub max: Duration,
}

/// CPU time of a process over the measured stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// In user space.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
    /// The requests that it was spent on.
    pub requests: u64,
}

impl Cost {
    pub(crate) fn new(cpu: Cpu, requests: u64) -> Self {
        Self { user: cpu.user, system: cpu.system, requests }
    }

    /// Microseconds of user time a request.
    #[must_use]
    pub fn user_us(&self) -> f64 {
        rate(self.user.as_secs_f64() * 1e6, self.requests)
    }

    /// Microseconds of system time a request.
    #[must_use]
    pub fn system_us(&self) -> f64 {
        rate(self.system.as_secs_f64() * 1e6, self.requests)
    }
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        filled: Option<Tally>,
        measured: Outcome,
        resident: Option<u64>,
    ) -> Self {
        let Outcome { tally, elapsed, server, generator } = measured;
        let at = |quantile| Duration::from_nanos(tally.latency.value_at_quantile(quantile));
        let latency = Latency {
            mean: Duration::from_secs_f64(tally.latency.mean() / 1e9),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_nanos(tally.latency.max()),
        };
        let of_filling = |count: fn(&Tally) -> u64| filled.as_ref().map_or(0, count);
        Self {
            load: describe(plan),
            populated: of_filling(|tally| tally.stored),
            elapsed,
            gets: tally.gets,
            sets: tally.stored,
            hits: tally.hits,
            misses: tally.misses,
            errors: tally.errors + of_filling(|tally| tally.errors),
            wrong_values: tally.wrong_values,
            lost_connections: tally.lost_connections + of_filling(|tally| tally.lost_connections),
            unanswered: tally.unanswered + of_filling(|tally| tally.unanswered),
            bytes_sent: tally.bytes_sent,
            bytes_received: tally.bytes_received,
            latency,
            server,
            server_resident_bytes: resident,
            generator,
            threads: plan.threads,
            complaint: filled.and_then(|tally| tally.complaint).or(tally.complaint),
        }
    }

    /// Requests answered without an error: retrievals and stores.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.gets + self.sets
    }

    /// Requests answered without an error, a second.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        per_second(self.requests(), self.elapsed)
    }

    /// Whether every request got the reply it must get. Misses are no fault.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.errors + self.wrong_values + self.lost_connections + self.unanswered == 0
    }

    /// The part of the time that the generator's threads were busy, from 0 to 1. Near 1 the generator is the limit,
    /// and throughput and latency say little about the server; the server's cost a request still does.
    #[must_use]
    pub fn generator_busy(&self) -> Option<f64> {
        Some(self.cores_busy(self.generator?)? / self.threads as f64)
    }

    /// How many cores the server kept busy: near its number of workers, the server is the limit.
    #[must_use]
    pub fn server_busy(&self) -> Option<f64> {
        self.cores_busy(self.server?)
    }

    fn cores_busy(&self, cost: Cost) -> Option<f64> {
        let elapsed = self.elapsed.as_secs_f64();
        (elapsed > 0.0).then(|| (cost.user + cost.system).as_secs_f64() / elapsed)
    }

    /// One flat JSON object; times in microseconds, memory in bytes.
    #[must_use]
    pub fn json(&self) -> Value {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        json!({
            "load": self.load,
            "populated": self.populated,
            "elapsed_s": self.elapsed.as_secs_f64(),
            "requests": self.requests(),
            "requests_per_second": self.requests_per_second(),
            "gets": self.gets,
            "sets": self.sets,
            "hits": self.hits,
            "misses": self.misses,
            "errors": self.errors,
            "wrong_values": self.wrong_values,
            "lost_connections": self.lost_connections,
            "unanswered": self.unanswered,
            "complaint": self.complaint,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "latency_mean_us": us(self.latency.mean),
            "latency_p50_us": us(self.latency.p50),
            "latency_p90_us": us(self.latency.p90),
            "latency_p99_us": us(self.latency.p99),
            "latency_p999_us": us(self.latency.p999),
            "latency_max_us": us(self.latency.max),
            "server_user_us": self.server.map(|cost| cost.user_us()),
            "server_system_us": self.server.map(|cost| cost.system_us()),
            "server_busy": self.server_busy(),
            "server_resident_bytes": self.server_resident_bytes,
            "generator_user_us": self.generator.map(|cost| cost.user_us()),
            "generator_system_us": self.generator.map(|cost| cost.system_us()),
            "generator_busy": self.generator_busy(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "load        {}", self.load)?;
        if self.populated > 0 {
            writeln!(f, "populated   {} keys", self.populated)?;
        }
        let seconds = self.elapsed.as_secs_f64();
        let (requests, rate) = (self.requests(), self.requests_per_second());
        writeln!(f, "throughput  {rate:.0} requests/s ({requests} in {seconds:.3} s)")?;
        writeln!(f, "requests    {} gets, {} sets", self.gets, self.sets)?;
        writeln!(f, "keys        {} hits, {} misses", self.hits, self.misses)?;
        let Latency { mean, p50, p90, p99, p999, max } = self.latency;
        for (name, time) in [
            ("mean", mean),
            ("p50", p50),
            ("p90", p90),
            ("p99", p99),
            ("p99.9", p999),
            ("max", max),
        ] {
            writeln!(f, "latency     {name:<5} {:>12.1} us", time.as_secs_f64() * 1e6)?;
        }
        for (name, bytes) in [("sent", self.bytes_sent), ("received", self.bytes_received)] {
            let rate = per_second(bytes, self.elapsed) / 1e6;
            writeln!(f, "bytes       {bytes} {name} ({rate:.1} MB/s)")?;
        }
        for (name, cost) in [("server", self.server), ("generator", self.generator)] {
            let Some(cost) = cost else { continue };
            let (user, system) = (cost.user_us(), cost.system_us());
            writeln!(f, "{name:<11} {user:.3} us user + {system:.3} us system a request")?;
        }
        if let Some(bytes) = self.server_resident_bytes {
            writeln!(f, "server      {:.1} MiB resident", bytes as f64 / f64::from(1 << 20))?;
        }
        if let Some(busy) = self.server_busy() {
            writeln!(f, "server      {busy:.2} cores busy")?;
        }
        if let Some(busy) = self.generator_busy() {
            let hint = if busy > BUSY { ": it may be the limit" } else { "" };
            writeln!(f, "generator   busy {:.0} % of its time{hint}", busy * 100.0)?;
        }
        let Self { errors, wrong_values: wrong, lost_connections: lost, unanswered, .. } = self;
        write!(
            f,
            "errors      {errors} error replies, {wrong} wrong values, {lost} lost connections, {unanswered} unanswered"
        )?;
        match &self.complaint {
            Some(complaint) => write!(f, "\nfirst error {complaint}"),
            None => Ok(()),
        }
    }
}

fn describe(plan: &Plan) -> String {
    let Plan { connections, threads, pipeline, multiget, ratio, .. } = plan;
    format!(
        "{} with {connections} connections on {threads} threads, pipeline {pipeline}, gets:sets {ratio}, {multiget} keys a get, {} {} keys of {} bytes, values of {} bytes",
        plan.target,
        plan.keys.count(),
        plan.distribution,
        plan.keys.key_len(),
        plan.value_size,
    )
}

fn rate(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}

fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { count as f64 / time.as_secs_f64() }
}

/// From this part of its time on, the generator is named as the possible limit.
const BUSY: f64 = 0.9;
