//! The words after a sub-command.

/// What a sub-command was given: words, and options with their values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) words: Vec<String>,
    options: Vec<(String, String)>,
}

/// An option that a sub-command knows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    /// `--name`
    Switch(&'static str),
    /// `--name VALUE` or `--name=VALUE`
    Value(&'static str),
}

impl Arguments {
    /// Sorts the words, of which there may be `words_max`.
    ///
    /// # Errors
    /// A sentence that names the word or option that is wrong.
    pub(crate) fn parse(
        given: &[String],
        known: &[Known],
        words_max: usize,
    ) -> Result<Self, String> {
        let mut arguments = Self::default();
        let mut given = given.iter();
        while let Some(word) = given.next() {
            if !word.starts_with('-') {
                if arguments.words.len() == words_max {
                    return Err(format!("`{word}` is one word too many; see --help"));
                }
                arguments.words.push(word.clone());
                continue;
            }
            let (name, attached) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let option = known.iter().find(|option| option.name() == name);
            let value = match (option, attached) {
                (None, _) => return Err(format!("there is no option `{name}`; see --help")),
                (Some(Known::Switch(_)), Some(_)) => {
                    return Err(format!("`{name}` takes no value"));
                }
                (Some(Known::Switch(_)), None) => String::new(),
                (Some(Known::Value(_)), Some(value)) => value,
                (Some(Known::Value(_)), None) => {
                    given.next().cloned().ok_or_else(|| format!("`{name}` needs a value"))?
                }
            };
            arguments.options.push((name.to_owned(), value));
        }
        Ok(arguments)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value given last.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut newest_first = self.options.iter().rev();
        newest_first.find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

impl Known {
    fn name(self) -> &'static str {
        match self {
            Self::Switch(name) | Self::Value(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Known};

    const KNOWN: [Known; 2] = [Known::Switch("--quick"), Known::Value("--seconds")];

    fn parse(line: &str) -> Result<Arguments, String> {
        let given: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Arguments::parse(&given, &KNOWN, 1)
    }

    #[test]
    fn words_and_options_are_told_apart() {
        let arguments = parse("parser --seconds 5 --quick --seconds=7").expect("all known");
        assert_eq!(arguments.words, ["parser"]);
        assert_eq!(arguments.value("--seconds"), Some("7"), "the last one counts");
        assert!(arguments.has("--quick"));
        assert!(!parse("").expect("nothing is fine").has("--quick"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |line: &str, expected: &str| {
            let error = parse(line).expect_err(line);
            assert!(error.contains(expected), "{error}");
        };
        check("--fast", "no option `--fast`");
        check("a b", "`b` is one word too many");
        check("--seconds", "`--seconds` needs a value");
        check("--quick=1", "`--quick` takes no value");
    }
}
