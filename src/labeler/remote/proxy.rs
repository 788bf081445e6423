//! Finds the proxy for a server: none for this machine, otherwise the one in the environment.

use crate::error::{Error, ErrorKind, Result};
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;

/// Returns the proxy for a URL from the environment (`http_proxy`, `https_proxy`, `all_proxy`,
/// `no_proxy`), without its password. Loopback addresses are never proxied: for the proxy they would
/// mean another machine.
///
/// # Errors
/// If the proxy's scheme is not supported, and if the variable for this URL does not hold a proxy.
pub fn find(url: &reqwest::Url) -> Result<Option<String>> {
    let variable = |name: &str| {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    };
    check_variable(variable, url)?;
    find_with(&Matcher::from_env(), url)
}

/// Rejects a malformed value of the variable for this URL, which [`Matcher`] would ignore. The value
/// is not shown, since it may contain a password.
fn check_variable(variable: impl Fn(&str) -> Option<String>, url: &reqwest::Url) -> Result<()> {
    let first = |names: [&'static str; 2]| {
        let mut set = names
            .into_iter()
            .filter_map(|name| Some((name, variable(name)?)));
        set.next().filter(|(_, value)| !value.is_empty())
    };
    let own = match url.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy"],
        _ => ["HTTP_PROXY", "http_proxy"],
    };
    let Some((name, value)) = first(own).or_else(|| first(["ALL_PROXY", "all_proxy"])) else {
        return Ok(());
    };
    let exceptions = first(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, no)| no);
    let any = Matcher::builder()
        .all("http://proxy")
        .no(exceptions)
        .build();
    let is_proxied = find_with(&any, url)?.is_some();
    let found = Matcher::builder().all(value).build();
    let uri = url.as_str().parse();
    if !is_proxied || uri.is_ok_and(|uri| found.intercept(&uri).is_some()) {
        return Ok(());
    }
    let cause = format!("{name}, the proxy for {url}, is not the URL of a proxy");
    let host = url.host_str().unwrap_or_default();
    Err(Error::new(ErrorKind::Usage, cause).with_hint(format!(
        "set it to http://HOST:PORT, or unset it or set no_proxy={host} to reach the server directly"
    )))
}

fn find_with(matcher: &Matcher, url: &reqwest::Url) -> Result<Option<String>> {
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
    let proxy_url = format!("{scheme}://{host}{port}");
    if !matches!(scheme, "http" | "https") {
        let message =
            format!("{url} would be reached through the proxy {proxy_url}, which is not supported");
        let host = url.host_str().unwrap_or_default();
        return Err(Error::new(ErrorKind::Usage, message).with_hint(format!(
            "set an http proxy in the environment, or no_proxy={host} to reach it directly"
        )));
    }
    Ok(Some(proxy_url))
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
        find_with(matcher, &reqwest::Url::parse(url).unwrap())
    }

    #[test]
    fn loopback_addresses_are_not_proxied_and_others_are() {
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
    fn a_malformed_variable_is_an_error_with_its_name_and_without_its_value() {
        let checked = |variables: &[(&str, &str)], url: &str| {
            let variable = |name: &str| {
                let known = variables.iter().find(|(known, _)| *known == name);
                known.map(|(_, value)| (*value).to_owned())
            };
            check_variable(variable, &reqwest::Url::parse(url).unwrap())
        };
        let gpu = "http://gpu:8000/v1";
        for bad in [
            "foo:bar:baz",
            "socks9://x",
            "http://",
            "me:secret@:::",
            "http//x y",
        ] {
            for name in ["http_proxy", "HTTP_PROXY", "all_proxy"] {
                let error = checked(&[(name, bad)], gpu).unwrap_err();
                assert_eq!(error.exit_status(), 2);
                assert!(error.cause.starts_with(name), "{error}");
                assert!(!format!("{error:?}").contains("secret"), "{error:?}");
            }
            // It is not used for these.
            for (variables, url) in [
                (&[("http_proxy", bad)][..], "https://gpu/v1"),
                (&[("http_proxy", bad)], "http://127.0.0.1:8000/v1"),
                (&[("http_proxy", bad), ("no_proxy", "gpu")], gpu),
                (&[("http_proxy", "http://x:1"), ("all_proxy", bad)], gpu),
            ] {
                assert_eq!(checked(variables, url), Ok(()), "{bad}");
            }
        }
        for good in [
            "",
            "proxy:3128",
            "http://me:secret@proxy:3128",
            "socks5://proxy",
        ] {
            assert_eq!(checked(&[("http_proxy", good)], gpu), Ok(()), "{good}");
        }
    }

    #[test]
    fn an_unsupported_proxy_is_an_error_with_a_hint() {
        let matcher = Matcher::builder()
            .all("socks5://me:secret@proxy:1080")
            .build();
        let error = through(&matcher, "http://gpu:8000/v1").unwrap_err();
        assert!(error.cause.contains("socks5://proxy:1080"), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
        assert!(error.hint.unwrap().contains("no_proxy=gpu"));
    }
}
