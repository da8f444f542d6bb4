//! A whole page: landmarks, one heading, the rail, and the body between.

use crate::assets::{APP, ICON, STYLE, THEME};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

/// A page of one of the products. Answer with it: it is an axum response, with headers that keep foreign script out.
pub struct Page {
    /// What the page is about: the one `h1`.
    pub title: String,
    /// "Scheduler", "Control Center" or "Coordinator".
    pub product: &'static str,
    /// Five fit the bottom bar of a telephone; more can be scrolled to.
    pub nav: Vec<NavItem>,
    /// Where the page's patches come from ([`crate::live::stream`]); none for a page that does not change.
    pub live: Option<String>,
    pub body: Markup,
}

/// A link of the rail, or a tab.
#[derive(Clone, Debug)]
pub struct NavItem {
    pub href: String,
    pub label: String,
    /// This is where the reader is.
    pub active: bool,
}

impl NavItem {
    pub fn new(href: impl Into<String>, label: impl Into<String>, active: bool) -> Self {
        Self { href: href.into(), label: label.into(), active }
    }
}

/// No inline script or style, nothing from another host, no frames: what a record says can never run here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "same-origin"),
            // A page shows what is now; the browser's back button must not show what was.
            (header::CACHE_CONTROL, "no-store"),
        ];
        (headers, self.render().into_string()).into_response()
    }
}

impl Render for Page {
    fn render(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                (self.head())
                body data-live=[self.live.as_deref()] {
                    a class="skip" href="#main" { "Skip to the content" }
                    (self.side())
                    main id="main" tabindex="-1" {
                        p id="lost" role="status" hidden {}
                        h1 { (self.title) }
                        (self.body)
                    }
                    p id="said" class="unseen" role="status" {}
                }
            }
        }
    }
}

impl Page {
    fn head(&self) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (self.title) " · " (self.product) " · Millrace" }
                link rel="icon" type="image/svg+xml" href=(ICON.url);
                link rel="stylesheet" href=(STYLE.url);
                script src=(THEME.url) {}
                script src=(APP.url) defer {}
            }
        }
    }

    fn side(&self) -> Markup {
        html! {
            header class="side" {
                a class="brand" href="/" { (PreEscaped(ICON.text)) span { b { "Millrace" } " " span { (self.product) } } }
                nav class="rail" aria-label="Pages" {
                    @for item in &self.nav { a href=(item.href) aria-current=[item.active.then_some("page")] { (item.label) } }
                }
                div class="tools scripted" {
                    button type="button" data-do="palette" { span { "Find" } kbd { "Ctrl K" } }
                    button type="button" data-do="theme" { span { "Theme" } span class="muted" data-theme-name { "auto" } }
                    button type="button" data-do="keys" { span { "Keys" } kbd { "?" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        Page {
            title: "DAGs & runs".into(),
            product: "Scheduler",
            nav: vec![NavItem::new("/", "DAGs", true), NavItem::new("/runs", "Runs", false)],
            live: Some("/events".into()),
            body: html! { p { "body" } },
        }
    }

    #[test]
    fn a_page_has_its_landmarks_and_one_heading() {
        let shown = page().render().into_string();
        for part in [
            "<h1>DAGs &amp; runs</h1>",
            "<main ",
            "<header ",
            "<nav ",
            "lang=\"en\"",
            "data-live=\"/events\"",
        ] {
            assert_eq!(shown.matches(part).count(), 1, "{part} in {shown}");
        }
        assert_eq!(shown.matches("aria-current=\"page\"").count(), 1);
    }

    #[test]
    fn a_page_that_does_not_change_opens_no_stream() {
        assert!(!Page { live: None, ..page() }.render().into_string().contains("data-live"));
    }

    #[test]
    fn no_page_may_run_what_a_record_says() {
        let answer = page().into_response();
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
        assert!(!page().render().into_string().contains(" style="), "the policy forbids style attributes");
    }
}
