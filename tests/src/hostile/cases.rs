//! What each misbehaviour is made of, what is done with it, and what must come of that.

use airlock::limits::Limit;
use serde_json::{Value, json};

use super::{Misbehaviour, made};

/// What must come of an attack.
pub(super) enum Ends {
    /// The component is not taken in; the operator reads this.
    Refused(&'static str),
    /// The call is a tool error; the caller reads this.
    Fails(&'static str),
    /// The call ends well, and whatever was too much is cut off.
    GoesOn,
}

pub(super) struct Case {
    pub(super) ends: Ends,
    /// The bound that it goes over in a call.
    pub(super) over: Option<Limit>,
    /// Bounds of the app's own.
    pub(super) own: &'static [(Limit, u64)],
}

impl Case {
    const fn new(ends: Ends) -> Self {
        Self {
            ends,
            over: None,
            own: &[],
        }
    }

    const fn over(self, limit: Limit) -> Self {
        Self {
            over: Some(limit),
            ..self
        }
    }

    const fn own(self, own: &'static [(Limit, u64)]) -> Self {
        Self { own, ..self }
    }
}

const CRASHED: &str = "crashed during the call";
const NOT_PASSED_ON: &str = "cannot be passed on";
const CPU: &str = "computed for more than 300ms";

impl Misbehaviour {
    pub(super) fn case(self) -> Case {
        use Ends::{Fails, GoesOn, Refused};
        match self {
            Self::EndlessLoop | Self::HostCallFlood | Self::CrowdOfSpinners => {
                Case::new(Fails(CPU)).over(Limit::Cpu)
            }
            Self::EndlessRecursion => {
                Case::new(Fails("more than 512 KiB of stack")).over(Limit::Stack)
            }
            Self::MemoryBomb => Case::new(Fails("more than 16 MiB of memory")).over(Limit::Memory),
            Self::TableBomb => {
                Case::new(Fails("more than 20000 table elements")).over(Limit::TableElements)
            }
            Self::ManySmallMemories => Case::new(Refused("more than 2 memories")),
            Self::ManyTables => Case::new(Refused("more than 8 tables")),
            Self::ManyInstances => Case::new(Refused("more than 256 core instances")),
            Self::HandleFlood => Case::new(Refused("more than 64 handles")),
            Self::HostCallBomb => Case::new(Fails("more than 16 MiB handed over at once"))
                .over(Limit::ToHost)
                .own(&[(Limit::Memory, 64 << 20)]),
            Self::LogFlood => Case::new(GoesOn).over(Limit::LogLines),
            Self::LogBomb => Case::new(GoesOn).over(Limit::LogBytes),
            Self::ProgressFlood => Case::new(GoesOn).over(Limit::Progress),
            Self::RunFlood => Case::new(GoesOn).over(Limit::Runs),
            Self::ResultBomb => Case::new(Fails("larger than 10MiB"))
                .over(Limit::Result)
                .own(&[(Limit::Result, 10 << 20), (Limit::Memory, 64 << 20)]),
            // What is not in its memory is no text, however long.
            Self::GigabyteString | Self::LyingLengths | Self::InvalidUtf8 => {
                Case::new(Fails(CRASHED))
            }
            Self::InvalidJson | Self::DeepJson => Case::new(Fails(NOT_PASSED_ON)),
            Self::SchemaRefLoop => Case::new(Refused("refers to itself for the same value")),
            Self::SchemaRefBomb => Case::new(Refused("compared with more than 10000 schemas")),
            Self::DescribesDifferently => Case::new(GoesOn),
            Self::SchemaPattern => Case::new(Fails("do not fit")),
            Self::SchemaEnum => Case::new(Refused("262144 is the most")),
            Self::ToolNameTrick | Self::ToolNameHidden => {
                Case::new(Refused("must be 1 to 64 letters"))
            }
            Self::Describes100000Tools => Case::new(Refused("more than 4 MiB handed over at once")),
            Self::TrapsInDescribe => Case::new(Refused("the guest trapped")),
            Self::CallsInDescribe => Case::new(Refused("called client.log from describe")),
            Self::LoopsInDescribe => Case::new(Refused("computed for more than 1s")),
            Self::NeverReturns => Case::new(Fails("ended after 1 second"))
                .over(Limit::Deadline)
                .own(&[(Limit::Deadline, 1_000)]),
            Self::DropsEverything => Case::new(Fails(CRASHED)),
            Self::KeepsRunning => Case::new(GoesOn),
            Self::AsksForSockets => Case::new(Refused("no guest is given: wasi:sockets/tcp")),
            Self::AsksForHttp => {
                Case::new(Refused("no guest is given: wasi:http/outgoing-handler"))
            }
            Self::AsksForUnknown => Case::new(Refused("no guest is given: airlock:guest/keys")),
            Self::ReadsOthersMemory => Case::new(GoesOn),
            Self::ExportsWrongType => Case::new(Refused("another version of the contract")),
            Self::HugeComponent => Case::new(Refused("67108864 is the most")),
        }
    }

    /// The component.
    ///
    /// # Errors
    /// When its text is none.
    pub fn component(self) -> anyhow::Result<Vec<u8>> {
        let text = self.text();
        let whole = text.starts_with("(component");
        match self {
            Self::HugeComponent => Ok(made::padded(made::guest(text)?, 200_000_000)),
            Self::ManySmallMemories
            | Self::ManyTables
            | Self::ManyInstances
            | Self::HandleFlood => made::guest_around(text),
            _ if whole => Ok(wat::parse_str(text)?),
            _ => made::guest(text),
        }
    }

    /// What the tool is called with.
    pub(super) fn arguments(self) -> Value {
        match self {
            Self::SchemaPattern => json!({"text": format!("{}!", "a".repeat(100_000))}),
            _ => json!({}),
        }
    }

    /// Calls at one time.
    pub(super) fn calls(self) -> usize {
        match self {
            Self::CrowdOfSpinners => 2 * std::thread::available_parallelism().map_or(2, Into::into),
            _ => 1,
        }
    }
}
