//! Finds the proxy for a server: none on this machine, else the one that the environment names.

use crate::error::{Error, ErrorKind, Result};
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;

/// The proxy that the environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`) names
/// for this address, without a password; `None` if there is none. A loopback address has none
/// whatever the environment says: it would mean another machine there.
///
/// # Errors
/// For a proxy of a kind that is not supported.
pub fn of(url: &reqwest::Url) -> Result<Option<String>> {
    by(&Matcher::from_env(), url)
}

fn by(matcher: &Matcher, url: &reqwest::Url) -> Result<Option<String>> {
    if url.host_str().is_none_or(is_loopback) {
        return Ok(None);
    }
    let Some(proxy) = url
        .as_str()
        .parse()
        .ok()
        .and_then(|uri| matcher.intercept(&uri))
    else {
        return Ok(None);
    };
    let proxy = proxy.uri();
    let scheme = proxy.scheme_str().unwrap_or("http");
    let host = proxy.host().unwrap_or_default();
    let port = proxy
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let named = format!("{scheme}://{host}{port}");
    if !matches!(scheme, "http" | "https") {
        let words = format!("{url} would be reached through {named}, which is not supported");
        let host = url.host_str().unwrap_or_default();
        return Err(Error::new(ErrorKind::Usage, words).with_hint(format!(
            "name an http proxy in the environment, or set no_proxy={host} to reach it directly"
        )));
    }
    Ok(Some(named))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            address.is_loopback() || address.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(matcher: &Matcher, url: &str) -> Result<Option<String>> {
        by(matcher, &reqwest::Url::parse(url).unwrap())
    }

    #[test]
    fn this_machine_has_no_proxy_and_others_have_the_one_that_is_named() {
        let matcher = Matcher::builder()
            .http("http://me:secret@proxy:3128")
            .https("https://secure:8443")
            .no("lab.example")
            .build();
        for here in [
            "http://localhost:8000/v1",
            "http://LOCALHOST./v1",
            "http://a.localhost/v1",
            "http://127.0.0.1/v1",
            "http://127.8.9.10:80/v1",
            "https://[::1]:8000/v1",
            "http://[::ffff:127.0.0.1]/v1",
            "http://0.0.0.0:8000/v1",
            "http://2130706433/v1",
        ] {
            assert_eq!(through(&matcher, here).unwrap(), None, "{here}");
        }
        let proxy = |url: &str| through(&matcher, url).unwrap();
        assert_eq!(
            proxy("http://gpu:8000/v1").as_deref(),
            Some("http://proxy:3128")
        );
        assert_eq!(
            proxy("https://gpu/v1").as_deref(),
            Some("https://secure:8443")
        );
        assert_eq!(
            proxy("http://localhost.example/v1").as_deref(),
            Some("http://proxy:3128")
        );
        assert_eq!(proxy("http://a.lab.example/v1"), None);
    }

    #[test]
    fn a_proxy_that_is_not_supported_is_refused_with_a_way_out() {
        let matcher = Matcher::builder()
            .all("socks5://me:secret@proxy:1080")
            .build();
        let error = through(&matcher, "http://gpu:8000/v1").unwrap_err();
        assert!(error.cause.contains("socks5://proxy:1080"), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
        assert!(error.hint.unwrap().contains("no_proxy=gpu"));
    }
}
