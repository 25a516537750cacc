//! What an input says.

use larder_connection::{Connection, Limits, Protocols};

use crate::converse::{DRAFT_CHUNK_MAX, Ending, Exchange};
use crate::model::{Model, Rules};
use crate::reference::answers_speaking;
use crate::script::{self, Choices};

/// Conversations, the circumstances they are held in, and the plan they are fed by.
pub(super) struct Case<'i> {
    pub(super) limits: Limits,
    protocols: Protocols,
    pub(super) rules: Rules,
    plan: &'i [u8],
    /// The bytes that conversations grow out of.
    pub(super) seed: &'i [u8],
    /// One after another, each on a connection of its own, about the same items; at least one.
    conversations: Vec<Vec<u8>>,
    /// Seconds between two of them.
    pause: i64,
}

impl<'i> Case<'i> {
    pub(super) fn new(input: &'i [u8]) -> Self {
        let mut case = Self::without_conversations(input);
        case.protocols = match input.get(BETWEEN_AT).unwrap_or(&0) / 4 % 8 {
            5 => Protocols::Text,
            6 => Protocols::Binary,
            _ => Protocols::Auto,
        };
        let way = input.first().copied().unwrap_or_default();
        let (seed, line_len) = (case.seed, case.limits.line_len);
        let lines = |seed| script::conversation(&mut Choices::new(seed), line_len);
        let frames = |seed| script::binary_conversation(&mut Choices::new(seed));
        let halves = seed.split_at(seed.len() / 2);
        case.conversations = match way {
            RAW => vec![seed.to_vec()],
            _ if way % 2 == 1 => vec![lines(seed)],
            _ if way % 4 == 2 => vec![frames(seed)],
            _ if way % 8 == 0 => vec![lines(halves.0), frames(halves.1)],
            _ => vec![frames(halves.0), lines(halves.1)],
        };
        case
    }

    /// The circumstances, for a property that writes conversations of its own.
    pub(super) fn without_conversations(input: &'i [u8]) -> Self {
        let (head, seed) = input.split_at(input.len().min(HEAD_LEN));
        let mut choices = Choices::new(head.get(1..).unwrap_or_default());
        let output_len = choices.pick(&[Limits::default().output_len, 5000, 100, 1]);
        // What waits is moved to the front each turn: a long line through a small output takes too long for a test.
        let line_lens = &[2048, 300, 40, Limits::default().line_len];
        let line_lens = if output_len > 100 { line_lens } else { &line_lens[..3] };
        let line_len = choices.pick(line_lens);
        // Where more is answered in one piece than is kept, cuts do matter.
        let limits = Limits { line_len, unfinished_line_len: line_len, output_len };
        let rules = Rules {
            item_len_max: choices.pick(&[1 << 20, 20_000, 2000, 60]),
            piece_len: choices.pick(&[1 << 20, 1000, 7]),
            chunk_len: choices.pick(&[DRAFT_CHUNK_MAX, 100, 1]),
            draft_len_max: choices.pick(&[usize::MAX, 8192, 2048, 10]),
            ..Rules::default()
        };
        let between = head.get(BETWEEN_AT).copied().unwrap_or_default();
        let pause = [0, 1, 2, 100][usize::from(between % 4)];
        let plan = head.get(PLAN_AT..).unwrap_or_default();
        Self {
            limits,
            protocols: Protocols::Auto,
            rules,
            plan,
            seed,
            conversations: Vec::new(),
            pause,
        }
    }

    /// A connection that has received nothing.
    pub(super) fn connection(&self) -> Connection<Model> {
        Connection::speaking(self.protocols, self.limits)
    }

    pub(super) fn exchange<'e>(
        &'e self,
        conversation: &'e [u8],
        ending: Ending,
        model: &'e mut Model,
    ) -> Exchange<'e> {
        let plan = Choices::endless(self.plan);
        Exchange::new(self.limits, model, conversation, plan, ending, self.rules.item_len_max)
            .speaking(self.protocols)
    }

    /// Everything that is sent when the conversations are fed by the plan.
    pub(super) fn exchanged(&self, ending: Ending, model: &mut Model) -> Vec<u8> {
        self.all(&self.conversations, model, |conversation, model| {
            let (connection, sent) = self.exchange(conversation, ending, model).run();
            let is_over = connection.is_finished() || ending == Ending::Open;
            assert!(is_over, "the end of the input ends the connection");
            sent
        })
    }

    /// Everything that is sent when each conversation arrives in one piece, and answers have no bound.
    pub(super) fn whole(&self, model: &mut Model) -> Vec<u8> {
        self.all(&self.conversations, model, |conversation, model| {
            self.sent_whole(conversation, model)
        })
    }

    /// Everything that the reference answers.
    pub(super) fn answered(&self, model: &mut Model) -> Vec<u8> {
        let line_len = self.limits.line_len;
        self.all(&self.conversations, model, |conversation, model| {
            answers_speaking(self.protocols, conversation, line_len, model)
        })
    }

    /// Whether one of them is in frames.
    pub(super) fn has_frames(&self) -> bool {
        self.conversations.iter().any(|conversation| conversation.first() == Some(&0x80))
    }

    /// The first of the conversations.
    pub(super) fn first(&self) -> &[u8] {
        self.conversations.first().map_or(&[], Vec::as_slice)
    }

    /// Holds all conversations but the last, which it returns.
    pub(super) fn before_last(&self, model: &mut Model) -> &[u8] {
        let Some((last, earlier)) = self.conversations.split_last() else { return &[] };
        self.all(earlier, model, |conversation, model| self.sent_whole(conversation, model));
        last
    }

    /// Holds conversations; between two of them time goes by.
    fn all(
        &self,
        conversations: &[Vec<u8>],
        model: &mut Model,
        mut hold: impl FnMut(&[u8], &mut Model) -> Vec<u8>,
    ) -> Vec<u8> {
        let mut sent = Vec::new();
        for conversation in conversations {
            sent.extend(hold(conversation, model));
            model.set_now(model.now() + self.pause);
        }
        sent
    }

    fn sent_whole(&self, conversation: &[u8], model: &mut Model) -> Vec<u8> {
        let limits = Limits { output_len: usize::MAX, ..self.limits };
        let mut connection = Connection::speaking(self.protocols, limits);
        connection.receive(conversation, model);
        connection.receive_end(model);
        // A request that took long ends a turn.
        while connection.has_work() {
            connection.receive(&[], model);
        }
        connection.output().chunks().flatten().copied().collect()
    }
}

/// The first byte of an input whose conversation is its rest, as it stands.
const RAW: u8 = b'r';

/// Bytes before those that conversations grow out of.
const HEAD_LEN: usize = 16;

/// Where in them the plan begins.
const PLAN_AT: usize = 7;

/// Which of them says how long a pause is and which protocols are spoken; it belongs to the plan, too.
const BETWEEN_AT: usize = 14;
