//! Many conversations, until one goes two ways; and that one made small.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::conversation::{Conversation, conversation};
use crate::pair::{PATIENCE, Pair};
use crate::play::{Verdict, play};
use crate::replies::Excuses;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The larder binary.
    pub larder: PathBuf,
    /// How many commands to compare at least.
    pub commands: u64,
    /// What all conversations grow out of.
    pub seed: u64,
    /// Only this conversation, by its number.
    pub only: Option<u64>,
    /// How many pairs of servers to talk to at once.
    pub threads: u64,
    /// After how many differences to give up.
    pub differences_max: usize,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Report {
    /// Conversations that were held.
    pub conversations: u64,
    /// Commands in them.
    pub commands: u64,
    /// Known differences that were met.
    pub excuses: Excuses,
    /// Those that nobody knows.
    pub differences: Vec<Difference>,
    /// What went two ways once and the same way when it was said again.
    pub unsteady: Vec<Difference>,
}

impl Report {
    /// Whether the servers agree: no difference, whether it repeats or not.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.unsteady.is_empty()
    }
}

/// A difference that nobody knows.
#[derive(Debug)]
pub struct Difference {
    /// The number of its conversation.
    pub number: u64,
    /// The arguments of both servers.
    pub args: &'static [&'static str],
    /// The conversation, as small as it became, and what came of it.
    pub verdict: Verdict,
}

/// Holds conversations with both servers.
///
/// # Errors
///
/// The servers do not start, or stop to answer.
pub fn search(plan: &Plan) -> io::Result<Report> {
    let shared = Shared {
        plan,
        next: AtomicU64::new(0),
        commands: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        report: Mutex::new(Report::default()),
    };
    let results: Vec<io::Result<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads).map(|_| scope.spawn(|| shared.work())).collect();
        let lost = || Err(io::Error::other("a thread of the search panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| lost())).collect()
    });
    results.into_iter().collect::<io::Result<()>>()?;
    shared.report.into_inner().map_err(|_| io::Error::other("a thread of the search panicked"))
}

struct Shared<'p> {
    plan: &'p Plan,
    next: AtomicU64,
    commands: AtomicU64,
    stop: AtomicBool,
    report: Mutex<Report>,
}

impl Shared<'_> {
    /// Holds conversations with servers of its own until there were enough.
    fn work(&self) -> io::Result<()> {
        let mut servers: Option<(&[&str], Pair)> = None;
        while let Some(number) = self.next_number() {
            let args = args_of(number);
            let mut pair = match servers.take() {
                Some((same, pair)) if same == args => pair,
                _ => Pair::start(&self.plan.larder, args)?,
            };
            let mut tree = grown(self.plan.seed, number)?;
            let verdict = play(&mut pair, &tree.current(), PATIENCE)?;
            self.commands.fetch_add(verdict.commands, Ordering::Relaxed);
            let difference = verdict.difference.is_some();
            self.count(&verdict)?;
            if difference && !Self::repeats(&mut pair, &tree.current())? {
                self.add(Difference { number, args, verdict }, |report| &mut report.unsteady)?;
            } else if difference {
                let verdict = shrunk(&mut pair, &mut tree, verdict)?;
                self.add(Difference { number, args, verdict }, |report| &mut report.differences)?;
            }
            // Whatever brought a difference about may have left something behind.
            if !difference {
                servers = Some((args, pair));
            }
        }
        Ok(())
    }

    /// The number of the next conversation, while there is one. Those of the same arguments come together.
    fn next_number(&self) -> Option<u64> {
        let is_over = self.stop.load(Ordering::Relaxed)
            || self.commands.load(Ordering::Relaxed) >= self.plan.commands;
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        match self.plan.only {
            Some(number) => (place == 0).then_some(number),
            None if is_over => None,
            None => Some(place),
        }
    }

    /// Whether a conversation goes two ways again.
    fn repeats(pair: &mut Pair, conversation: &Conversation) -> io::Result<bool> {
        for _ in 0..REPEATS {
            if play(pair, conversation, PATIENCE)?.difference.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn count(&self, verdict: &Verdict) -> io::Result<()> {
        let mut report = self.report.lock().map_err(|_| io::Error::other("poisoned"))?;
        report.conversations += 1;
        report.commands += verdict.commands;
        for (name, count) in &verdict.excuses {
            *report.excuses.entry(name).or_default() += count;
        }
        Ok(())
    }

    fn add(
        &self,
        difference: Difference,
        list: impl FnOnce(&mut Report) -> &mut Vec<Difference>,
    ) -> io::Result<()> {
        let mut report = self.report.lock().map_err(|_| io::Error::other("poisoned"))?;
        list(&mut report).push(difference);
        if report.differences.len() + report.unsteady.len() >= self.plan.differences_max {
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The conversation of a number.
fn grown(seed: u64, number: u64) -> io::Result<impl ValueTree<Value = Conversation>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    conversation().new_tree(&mut runner).map_err(|reason| io::Error::other(reason.to_string()))
}

/// Makes a conversation smaller as long as it goes two ways.
fn shrunk(
    pair: &mut Pair,
    tree: &mut impl ValueTree<Value = Conversation>,
    mut smallest: Verdict,
) -> io::Result<Verdict> {
    if !tree.simplify() {
        return Ok(smallest);
    }
    for _ in 0..SHRINKS_MAX {
        let verdict = play(pair, &tree.current(), SHRINK_PATIENCE)?;
        let goes_on = if verdict.difference.is_some() {
            smallest = verdict;
            tree.simplify()
        } else {
            tree.complicate()
        };
        if !goes_on {
            break;
        }
    }
    Ok(smallest)
}

/// The arguments of the servers of a conversation.
fn args_of(number: u64) -> &'static [&'static str] {
    let run = number / RUN_LEN;
    let place = usize::try_from(run).unwrap_or_default() % (3 * ARGS.len());
    ARGS.get(place).copied().unwrap_or_default()
}

/// Switches that change what conversations are answered; two runs of three are without any.
const ARGS: &[&[&str]] = &[&[], &["-C"], &["-F"], &["-I", "512k"], &["-X"], &["-M"]];

/// So many conversations one after the other are with the same servers.
const RUN_LEN: u64 = 200;

/// How often what went two ways is said again before it counts as unsteady.
const REPEATS: u32 = 3;

/// Most attempts to make a conversation smaller.
const SHRINKS_MAX: usize = 2000;

/// How long a reply may take while a conversation is made smaller: many of them end in silence.
const SHRINK_PATIENCE: Duration = Duration::from_millis(500);
