//! What a DAG's file says of it, in Markdown.

use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// The text as a page has it. HTML in it is shown as text, links lead nowhere but to pages and mail, and images are their
/// descriptions: whoever writes a file of a DAG must not run anything in the browser of who looks at it.
pub fn doc(markdown: &str) -> Markup {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut written = String::new();
    html::push_html(&mut written, events.filter_map(harmless));
    PreEscaped(format!("<div class=\"doc\">{written}</div>"))
}

fn harmless(event: Event<'_>) -> Option<Event<'_>> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if leads_to_a_page(&dest_url) { dest_url } else { "#".into() };
            Some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        other => Some(other),
    }
}

/// A scheme that is not known here might be one that runs something.
fn leads_to_a_page(url: &str) -> bool {
    let known = ["http:", "https:", "mailto:"];
    let begins = |start: &&str| url.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    known.iter().any(begins) || !url.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_is_shown_and_nothing_in_it_is_run() {
        let cases = [
            ("**Loads** users", "<strong>Loads</strong> users"),
            ("- a\n- b", "<li>a</li>"),
            ("[runbook](https://example.com/x)", "<a href=\"https://example.com/x\">runbook</a>"),
            ("[other](/dags/other)", "<a href=\"/dags/other\">other</a>"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a <b onclick=\"x()\">b</b>", "&lt;b onclick=\"x()\"&gt;"),
            ("[x](javascript:alert(1))", "<a href=\"#\">x</a>"),
            ("[x](JavaScript:alert)", "<a href=\"#\">x</a>"),
            ("[x](data:text/html,x)", "<a href=\"#\">x</a>"),
            ("<javascript:alert(1)>", "<a href=\"#\">"),
            ("![a picture](https://example.com/p.png)", "a picture"),
        ];
        for (markdown, expected) in cases {
            let shown = doc(markdown).into_string();
            assert!(shown.contains(expected), "{markdown}: {shown}");
            for wrong in ["<script", "<b ", "javascript:alert(1)\"", "<img"] {
                assert!(!shown.contains(wrong), "{markdown}: {shown}");
            }
        }
    }
}
