//! The style sheet, the scripts and the icon, compiled in and served under `/assets`.

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::LazyLock;

/// Small, and loaded before the first paint: a page must not flash in the wrong theme.
pub(crate) static THEME: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("theme", "js", "text/javascript; charset=utf-8", include_str!("../assets/theme.js"))
});

pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(
        include_str!("../assets/tokens.css"),
        include_str!("../assets/style.css"),
        include_str!("../assets/parts.css"),
    );
    Asset::new("style", "css", "text/css; charset=utf-8", text)
});

/// One file, because the url of a part would have to carry the part's hash into the others.
pub(crate) static APP: LazyLock<Asset> = LazyLock::new(|| {
    let text = concat!(
        "(() => {\n\"use strict\";\n",
        include_str!("../assets/app/times.js"),
        include_str!("../assets/app/morph.js"),
        include_str!("../assets/app/live.js"),
        include_str!("../assets/app/dialog.js"),
        include_str!("../assets/app/palette.js"),
        include_str!("../assets/app/act.js"),
        include_str!("../assets/app/draw.js"),
        include_str!("../assets/app/start.js"),
        "})();\n",
    );
    Asset::new("app", "js", "text/javascript; charset=utf-8", text)
});

pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")));

/// A file whose url changes with its content, so that a browser may keep it for ever.
pub(crate) struct Asset {
    pub(crate) url: String,
    pub(crate) text: &'static str,
    media_type: &'static str,
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, text: &'static str) -> Self {
        Self { url: format!("/assets/{name}-{:016x}.{extension}", fnv1a(text)), text, media_type }
    }

    fn answer(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.media_type),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, self.text).into_response()
    }
}

/// Serves what every page names. Merge it into the process's router, whatever its state is.
pub fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    [&*THEME, &*STYLE, &*APP, &*ICON]
        .into_iter()
        .fold(Router::new(), |router, asset| {
            router.route(&asset.url, get(move || async move { asset.answer() }))
        })
        .route("/favicon.ico", get(|| async { StatusCode::NOT_FOUND }))
}

/// Puts the assets that `page` names into it, so that it can be looked at as a file.
pub fn inlined(page: &str) -> String {
    let style = format!("<link rel=\"stylesheet\" href=\"{}\">", STYLE.url);
    let theme = format!("<script src=\"{}\"></script>", THEME.url);
    let icon = format!("<link rel=\"icon\" type=\"image/svg+xml\" href=\"{}\">", ICON.url);
    let app = format!("<script src=\"{}\" defer></script>", APP.url);
    let mut page = page
        .replace(&style, &format!("<style>{}</style>", STYLE.text))
        .replace(&theme, &format!("<script>{}</script>", THEME.text))
        .replace(&icon, "")
        .replace(&app, "");
    // Its place at the end stands for `defer`, which an inline script cannot have.
    if let Some(end) = page.rfind("</body>") {
        page.insert_str(end, &format!("<script>{}</script>", APP.text));
    }
    page
}

/// The 64-bit FNV-1a hash. It names a version of a file of ours; nobody tries to forge one.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[tokio::test]
    async fn an_asset_is_kept_for_ever_under_its_own_url_and_unknown_under_any_other() {
        let get = |url: String| async move {
            let request = Request::get(url).body(Body::empty()).unwrap();
            assets::<()>().oneshot(request).await.unwrap()
        };
        for asset in [&*THEME, &*STYLE, &*APP, &*ICON] {
            let answer = get(asset.url.clone()).await;
            assert_eq!(answer.status(), StatusCode::OK, "{}", asset.url);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], asset.media_type);
            assert!(answer.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        }
        assert_eq!(get("/assets/style-0000000000000000.css".into()).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn what_every_page_loads_stays_small_and_asks_no_other_host() {
        let all = [&*THEME, &*STYLE, &*APP, &*ICON];
        let total: usize = all.iter().map(|asset| asset.text.len()).sum();
        // The first view has 100 kB; most of it belongs to the page itself.
        assert!(total < 60_000, "the assets have {total} bytes");
        for asset in all {
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http://") && !text.contains("https://"),
                "{} names another host",
                asset.url
            );
        }
    }
}
