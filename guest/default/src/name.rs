use airlock_guest::{App, CallRequest};

/// What MCP clients hand on to their models at most.
const LONGEST: usize = 64;

/// The tool's name: the app's, in the letters that clients and their models take (`[a-zA-Z0-9_-]`).
///
/// Where less than half of the name's letters survive (`翻译 v2`), the rest names nothing: `dify_` and the mode then, which
/// a client tells apart by the server, and people by the title. The same app always has the same name.
pub(crate) fn of(app: &App) -> String {
    let letters = app
        .name
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .count();
    let kept = app.name.chars().filter(char::is_ascii_alphanumeric).count();
    let name = slug(&app.name);
    if kept * 2 < letters || name.is_empty() {
        return slug(&format!("dify_{}", app.mode.as_str().replace('-', "_")));
    }
    name
}

/// The name of the tool that takes a person's answers, beside the tool of this name.
pub(crate) fn of_answers(tool: &str) -> String {
    const ANSWER: &str = "_answer";
    let most = tool.len().min(LONGEST - ANSWER.len());
    tool[..most].to_owned() + ANSWER
}

/// What clients know one of the guest's tools by: the operator may have renamed it.
pub(crate) fn published(request: &CallRequest, tool: String) -> String {
    let published = request
        .extra
        .get("tools")
        .and_then(|tools| tools[&tool].as_str());
    published.map_or(tool, str::to_owned)
}

/// Words in lower case, joined by `_`.
fn slug(words: &str) -> String {
    let mut slug = String::new();
    for letter in words.chars() {
        match letter {
            'a'..='z' | '0'..='9' | '-' => slug.push(letter),
            'A'..='Z' => slug.push(letter.to_ascii_lowercase()),
            _ if slug.ends_with('_') => {}
            _ => slug.push('_'),
        }
        if slug.trim_start_matches(['_', '-']).len() == LONGEST {
            break;
        }
    }
    slug.trim_matches(['_', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use airlock_guest::{App, Mode};

    fn name(of: &str, mode: Mode) -> String {
        super::of(&App::new(of, mode))
    }

    #[test]
    fn a_latin_name_becomes_its_words() {
        assert_eq!(name("Trip  Planner (v2)!", Mode::Chat), "trip_planner_v2");
        assert_eq!(name("🚀 Launch-notes", Mode::Chat), "launch-notes");
        assert_eq!(name("Résumé helper", Mode::Completion), "r_sum_helper");
    }

    #[test]
    fn a_name_in_another_script_gives_way_to_the_mode() {
        assert_eq!(name("工作流 无输入 (no)", Mode::Workflow), "dify_workflow");
        assert_eq!(name("翻译助手", Mode::AdvancedChat), "dify_advanced_chat");
        assert_eq!(name("", Mode::AgentChat), "dify_agent_chat");
        assert_eq!(name("🚀🚀", Mode::Other("新".to_owned())), "dify");
    }

    #[test]
    fn a_long_name_is_cut_to_what_clients_take() {
        let long = name(&"word ".repeat(40), Mode::Chat);
        assert!(
            long.len() <= super::LONGEST && long.starts_with("word_word"),
            "{long}"
        );
        assert_eq!(
            name(&format!("  {}", "x".repeat(100)), Mode::Chat),
            "x".repeat(64)
        );
    }
}
