//! Arguments that calls repeat in headers: what a tool's schema marks with `x-mcp-header` (SEP-2243).

use std::collections::HashMap;

use http::HeaderName;
use serde_json::value::RawValue;

use crate::{ListError, envelope::text, members::Members};

/// One such argument.
#[derive(Clone, Debug)]
pub(crate) struct Mirrored {
    /// `mcp-param-…`
    pub(crate) header: HeaderName,
    /// Members to follow from the arguments to the value.
    path: Vec<String>,
}

impl Mirrored {
    /// The argument's value; none where there is none, or it is `null`.
    pub(crate) fn value<'a>(&self, arguments: Option<&'a RawValue>) -> Option<&'a RawValue> {
        let mut value = arguments?;
        for member in &self.path {
            value = Members::read(value)?.get(member)?;
        }
        (value.get() != "null").then_some(value)
    }
}

/// Of each tool that has any.
pub(crate) fn all(tools: &[Members<'_>]) -> Result<HashMap<String, Vec<Mirrored>>, ListError> {
    let mut all = HashMap::new();
    for tool in tools {
        let Some(name) = tool.text("name") else {
            continue;
        };
        let mut found = Found {
            tool: &name,
            mirrored: Vec::new(),
        };
        if let Some(schema) = tool.get("inputSchema") {
            found.look(schema, &mut Vec::new())?;
        }
        if !found.mirrored.is_empty() {
            all.insert(name.clone().into_owned(), found.mirrored);
        }
    }
    Ok(all)
}

struct Found<'a> {
    tool: &'a str,
    mirrored: Vec<Mirrored>,
}

impl Found<'_> {
    /// Only `properties` are followed: what a schema says elsewhere holds for no one value.
    fn look(&mut self, schema: &RawValue, path: &mut Vec<String>) -> Result<(), ListError> {
        let properties = Members::read(schema).and_then(|schema| schema.get("properties"));
        let properties = properties.and_then(Members::read);
        for (name, property) in properties.into_iter().flat_map(|it| it.0) {
            path.push(name.into_owned());
            if let Some(members) = Members::read(property)
                && let Some(header) = members.get("x-mcp-header")
            {
                self.add(header, &members, path)?;
            }
            self.look(property, path)?;
            path.pop();
        }
        Ok(())
    }

    fn add(
        &mut self,
        header: &RawValue,
        property: &Members<'_>,
        path: &[String],
    ) -> Result<(), ListError> {
        let refused = |why| ListError::Header {
            tool: self.tool.to_owned(),
            property: path.join("."),
            why,
        };
        let primitive = property.text("type");
        if !matches!(primitive.as_deref(), Some("string" | "integer" | "boolean")) {
            return Err(refused("is only for a string, an integer or a boolean"));
        }
        let name = text(header).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| refused("must be the end of a header's name"))?;
        let header = HeaderName::try_from(format!("mcp-param-{name}"))
            .map_err(|_error| refused("must be the end of a header's name"))?;
        if self.mirrored.iter().any(|other| other.header == header) {
            return Err(refused("is another argument's"));
        }
        let path = path.to_vec();
        self.mirrored.push(Mirrored { header, path });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tools;

    fn tools(properties: &str) -> Result<Tools, ListError> {
        let tool = format!(
            r#"{{"name":"t","inputSchema":{{"type":"object","properties":{properties}}}}}"#
        );
        Tools::new(&[RawValue::from_string(tool).expect("a test's JSON")])
    }

    #[test]
    fn marked_arguments_are_found_and_followed() {
        let tools = tools(
            r#"{"a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"object","properties":{"c":{"type":"integer","x-mcp-header":"N"}}},"d":{}}"#,
        )
        .expect("a tool");
        let [region, number] = tools.mirrored("t") else {
            panic!("{:?}", tools.mirrored("t"));
        };
        assert_eq!(region.header, "mcp-param-region");
        let arguments = serde_json::from_str(r#"{"b":{"c":7},"a":null}"#).expect("JSON");
        assert!(region.value(arguments).is_none());
        assert_eq!(number.value(arguments).map(RawValue::get), Some("7"));
        assert!(tools.mirrored("other").is_empty());
    }

    #[test]
    fn what_no_header_can_hold_is_refused() {
        for bad in [
            r#"{"a":{"type":"string","x-mcp-header":""}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"a b"}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"é"}}"#,
            r#"{"a":{"type":"string","x-mcp-header":7}}"#,
            r#"{"a":{"type":"object","x-mcp-header":"A"}}"#,
            r#"{"a":{"type":"number","x-mcp-header":"A"}}"#,
            r#"{"a":{"x-mcp-header":"A"}}"#,
            r#"{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}"#,
        ] {
            assert!(matches!(tools(bad), Err(ListError::Header { .. })), "{bad}");
        }
    }
}
