use std::fmt;

/// One input that does not fit its form. Its `Display` is a sentence for the caller; no value is repeated in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The variable's name, as the caller gave it or the form has it.
    pub variable: String,
    /// What is wrong.
    pub rule: Rule,
}

/// What an input broke.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// The form has no such variable; Dify would drop it in silence. Holds the names that the form shows.
    Unknown(Vec<String>),
    /// Required, and absent or null.
    Missing,
    /// Required, and an empty text. Dify accepts it, and the app then runs on nothing.
    Empty,
    /// Of another kind than the variable takes.
    Kind {
        /// What the variable takes, in words.
        expected: &'static str,
        /// What came, in words.
        got: &'static str,
    },
    /// A text of more characters than the variable takes.
    TooLong {
        /// The bound, in characters.
        most: u64,
        /// What came, in characters.
        got: u64,
    },
    /// None of the options.
    NotAnOption(Vec<String>),
    /// More files than the variable takes.
    TooMany {
        /// The bound.
        most: u64,
        /// What came.
        got: u64,
    },
    /// Dify fills this variable itself.
    Reserved,
}

/// The most names a sentence lists; a form or a caller may have more.
const LISTED: usize = 20;
/// The most characters of a caller's own variable name that a sentence repeats.
const NAME: usize = 64;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable: String = self.variable.chars().take(NAME).collect();
        match &self.rule {
            Rule::Unknown(known) if known.is_empty() => {
                write!(f, "`{variable}` is unknown: this app takes no inputs")
            }
            Rule::Unknown(known) => {
                write!(f, "`{variable}` is unknown; the inputs are {}", list(known))
            }
            Rule::Missing => write!(f, "`{variable}` is required and missing"),
            Rule::Empty => write!(f, "`{variable}` is required and must not be empty"),
            Rule::Kind { expected, got } => write!(f, "`{variable}` must be {expected}, not {got}"),
            Rule::TooLong { most, got } => write!(
                f,
                "`{variable}` must have {most} characters at most, not {got}"
            ),
            Rule::NotAnOption(options) if options.is_empty() => {
                write!(f, "`{variable}` has no options: its app is not set up")
            }
            Rule::NotAnOption(options) => {
                write!(f, "`{variable}` must be one of {}", list(options))
            }
            Rule::TooMany { most, got } => {
                write!(f, "`{variable}` takes {most} files at most, not {got}")
            }
            Rule::Reserved => write!(f, "`{variable}` is filled by Dify itself: leave it out"),
        }
    }
}

impl std::error::Error for Fault {}

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    let rest = names.len() - shown.len();
    if rest == 0 {
        shown.join(", ")
    } else {
        format!("{} and {rest} more", shown.join(", "))
    }
}
