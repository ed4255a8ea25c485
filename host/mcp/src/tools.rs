//! What `tools/list` answers, and what a call of a tool must bring with it.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::{
    Version,
    list::{self, List, ListError},
    members::Members,
    mirror::{self, Mirrored},
};

/// An address's tools, ready to be listed. A clone shares the bytes.
#[derive(Clone, Debug)]
pub struct Tools {
    list: List,
    tasks: Arc<HashMap<String, TaskSupport>>,
    mirrored: Arc<HashMap<String, Vec<Mirrored>>>,
}

/// May a call of the tool become a task?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskSupport {
    /// If it takes long and the client follows tasks.
    Optional,
    /// It always does; clients that do not follow tasks cannot call it.
    Required,
}

impl Tools {
    /// Takes tools in the shape of 2026-07-28, and `execution.taskSupport` (`optional`, `required`) where a call may become
    /// a task. Older versions get them without the members that they do not know; members that no version knows stay, and
    /// so do the order of members and the spelling of their values.
    ///
    /// # Errors
    /// When a tool is no object, has no name, or has another's name, or when one of its arguments cannot be mirrored in a
    /// header as its `x-mcp-header` says: clients would not show such a tool.
    pub fn new(tools: &[Box<RawValue>]) -> Result<Self, ListError> {
        let read = list::read("tools", "name", tools)?;
        let tasks = read.iter().filter_map(task_support).collect();
        Ok(Self {
            list: List::of_members("tools", &read),
            tasks: Arc::new(tasks),
            mirrored: Arc::new(mirror::all(&read)?),
        })
    }

    /// The result of `tools/list`: `{"tools":[…]}`.
    pub fn list(&self, version: Version) -> &Bytes {
        self.list.of(version)
    }

    /// The arguments of the tool that calls repeat in headers.
    pub(crate) fn mirrored(&self, tool: &str) -> &[Mirrored] {
        self.mirrored.get(tool).map_or(&[], Vec::as_slice)
    }

    /// None where calls of the tool never become tasks.
    pub(crate) fn task_support(&self, tool: &str) -> Option<TaskSupport> {
        self.tasks.get(tool).copied()
    }
}

fn task_support(tool: &Members<'_>) -> Option<(String, TaskSupport)> {
    let execution = tool.get("execution").and_then(Members::read)?;
    let support = match execution.text("taskSupport")?.as_ref() {
        "optional" => TaskSupport::Optional,
        "required" => TaskSupport::Required,
        _ => return None,
    };
    Some((tool.text("name")?.into_owned(), support))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(tools: &[&str]) -> Result<Tools, ListError> {
        let raw = |tool: &&str| RawValue::from_string((*tool).to_owned()).expect("a test's JSON");
        Tools::new(&tools.iter().map(raw).collect::<Vec<_>>())
    }

    const FULL: &str = concat!(
        r#"{"zeta":1.0,"name":"run","title":"Run","description":"d","inputSchema":{"type":"object","#,
        r#""properties":{"b":{},"a":{}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"#,
        r#""execution":{"taskSupport":"optional"},"icons":[],"_meta":{"k":1e400}}"#
    );

    #[test]
    fn each_version_lists_the_members_it_knows_and_those_that_nobody_knows() {
        let tools = tools(&[FULL]).expect("a tool");
        let without = |parts: &[&str]| {
            let tool = parts
                .iter()
                .fold(FULL.to_owned(), |tool, part| tool.replace(part, ""));
            format!(r#"{{"tools":[{tool}]}}"#)
        };
        let never = [r#""execution":{"taskSupport":"optional"},"#];
        let newest = [never[0], r#""icons":[],"#];
        let newer = [r#""title":"Run","#, r#""outputSchema":{"type":"object"},"#];
        let new = [r#""annotations":{"readOnlyHint":true},"#];
        assert_eq!(tools.list(Version::V2025_11_25), without(&never).as_bytes());
        assert_eq!(
            tools.list(Version::V2025_06_18),
            without(&newest).as_bytes()
        );
        assert_eq!(
            tools.list(Version::V2025_03_26),
            without(&[&newest[..], &newer].concat()).as_bytes()
        );
        assert_eq!(
            tools.list(Version::V2024_11_05),
            without(&[&newest[..], &newer, &new].concat()).as_bytes()
        );
        assert_eq!(tools.task_support("run"), Some(TaskSupport::Optional));
    }

    #[test]
    fn an_output_schema_of_anything_but_an_object_is_not_listed() {
        let list = tools(&[r#"{"name":"a","outputSchema":{"type":"array"}}"#]).expect("a tool");
        assert_eq!(
            list.list(Version::V2025_11_25),
            br#"{"tools":[{"name":"a"}]}"#.as_slice()
        );
        assert!(
            list.list(Version::V2026_07_28)
                .starts_with(br#"{"tools":[{"name":"a","outputSchema":{"type":"array"}}],"#)
        );
    }

    #[test]
    fn tools_that_cannot_be_listed_are_refused() {
        let error = |list: &[&str]| tools(list).expect_err("must be refused");
        assert_eq!(
            error(&["[]"]),
            ListError::NoObject {
                list: "tools",
                place: 0
            }
        );
        assert_eq!(
            error(&[r#"{"name":"a"}"#, r#"{"name":"b","x":1,"x":2}"#]),
            ListError::NoObject {
                list: "tools",
                place: 1
            }
        );
        assert_eq!(
            error(&[r#"{"name":1}"#]),
            ListError::NoKey {
                list: "tools",
                key: "name",
                place: 0
            }
        );
        assert_eq!(
            error(&[r#"{"name":"a"}"#, r#"{"name":"\u0061"}"#]),
            ListError::SameKey {
                list: "tools",
                name: "a".to_owned()
            }
        );
        assert_eq!(
            tools(&[]).expect("no tools").list(Version::V2025_11_25),
            br#"{"tools":[]}"#.as_slice()
        );
    }
}
