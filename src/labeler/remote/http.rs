//! The HTTP client for servers, with its limits and the API key, which is never shown.

use super::proxy;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::labeler::ServerNotice;
use crate::labeler::options::{RemoteOptions, Secret};
use crate::record::ServerError;
use futures_util::StreamExt as _;
use rustls::CertificateError;
use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// Size limit of an answer in bytes, unless many tokens are requested.
const MIN_ANSWER_LIMIT: usize = 1 << 20;
/// Maximum size of a token with its probability in an answer, in bytes.
const MAX_TOKEN_BYTES: usize = 512;
/// Shorter keys are placeholders such as `EMPTY` or `none`.
const MIN_KEY_BYTES: usize = 8;

/// Timeouts and retry limits. The defaults are for real servers.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    pub connect: Duration,
    /// Maximum pause within an answer. A busy CPU server may compute for minutes.
    pub read_timeout: Duration,
    /// Maximum duration of a request. A server may queue requests for a long time.
    pub request_timeout: Duration,
    /// Delay before the first retry; doubles each time, with jitter.
    pub backoff: Duration,
    pub max_backoff: Duration,
    /// Maximum number of failed requests per item (5xx, 408, 409, lost connections, timeouts).
    pub tries: u32,
    /// Maximum number of rate-limited requests per item (429).
    pub max_rate_limited: u32,
    /// How long a server may respond without a usable answer before it is given up.
    pub patience: Duration,
    /// Time to receive an answer after its headers, in addition to [`Self::per_token`].
    pub body_time: Duration,
    /// Time to receive each token of an answer.
    pub per_token: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read_timeout: Duration::from_secs(600),
            request_timeout: Duration::from_secs(2 * 3600),
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            tries: 8,
            max_rate_limited: 100,
            // A server that restarts loads a large model in less.
            patience: Duration::from_secs(600),
            // Servers send an answer when all of it is computed, at once, so a minute is plenty for a
            // slow connection. Some gateways send blanks meanwhile, for which the time per token is
            // that of a machine too slow for this work: 384 tokens may take 14 minutes.
            body_time: Duration::from_secs(60),
            per_token: Duration::from_secs(2),
        }
    }
}

/// Validates the base URL of an API and removes its trailing slash, for example
/// `http://host:8000/v1`.
///
/// # Errors
/// For anything but an http or https URL, and for one with a password, a query or a fragment.
pub fn base_url(text: &str) -> Result<String> {
    let usage = |what: &str| Error::new(ErrorKind::Usage, format!("--endpoint {what}"));
    let example = "for example --endpoint http://localhost:8000/v1";
    let url = reqwest::Url::parse(text)
        .map_err(|error| usage(&format!("{text:?} is not a URL: {error}")).with_hint(example))?;
    // URLs are shown and logged, so they must not contain secrets.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage("contains a user name or password")
            .with_hint("put a key into LABELER_API_KEY, which is never shown"));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(usage(&format!("{text:?} is not an http or https URL")).with_hint(example));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(usage("must not have a query or fragment").with_hint(example));
    }
    let base = url.as_str().trim_end_matches('/');
    for path in ["/chat/completions", "/completions", "/models"] {
        if let Some(base) = base.strip_suffix(path) {
            let cause = usage(&format!("ends in {path}, which is appended automatically"));
            return Err(cause.with_hint(format!("use --endpoint {base}")));
        }
    }
    Ok(base.to_owned())
}

/// HTTP client whose requests run on the calling thread.
pub struct Http {
    direct: reqwest::Client,
    /// Client for servers behind a proxy.
    through_proxy: Option<reqwest::Client>,
    /// Base URLs with their proxies.
    proxies: Vec<(String, String)>,
    pub runtime: tokio::runtime::Runtime,
    /// Base URLs of the servers, without a trailing slash.
    pub urls: Vec<String>,
    key: Option<Secret>,
    retry: RetryPolicy,
}

impl Http {
    /// # Errors
    /// With `--offline`, for an invalid URL, for an unsupported proxy, and for a key that cannot be
    /// sent in a header.
    pub fn new(options: &RemoteOptions, retry: &RetryPolicy) -> Result<Self> {
        if options.offline {
            return Err(
                Error::new(ErrorKind::Usage, "--endpoint cannot be used with --offline")
                    .with_hint("remove one of them"),
            );
        }
        let urls = options.endpoints.iter().map(|url| base_url(url));
        let urls: Vec<String> = urls.collect::<Result<_>>()?;
        let mut proxies = Vec::new();
        for url in &urls {
            let address = reqwest::Url::parse(url)
                .map_err(|error| Error::new(ErrorKind::Usage, format!("{url}: {error}")))?;
            proxies.extend(proxy::find(&address)?.map(|proxy| (url.clone(), proxy)));
        }
        let all = urls.iter().chain(proxies.iter().map(|(_, proxy)| proxy));
        // A minimal container has no CA certificates, and plain http needs none.
        let plain = all.into_iter().all(|url| url.starts_with("http:"));
        let builder = || builder(plain, options.api_key.as_ref(), retry);
        let through_proxy = match proxies.is_empty() {
            true => None,
            false => Some(build(builder()?)?),
        };
        Ok(Self {
            direct: build(builder()?.no_proxy())?,
            through_proxy,
            proxies,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context(ErrorKind::Internal, "cannot start the network runtime")?,
            urls,
            key: options.api_key.clone(),
            retry: retry.clone(),
        })
    }

    /// The client for the server at this base URL.
    pub fn client(&self, url: &str) -> &reqwest::Client {
        match (&self.through_proxy, self.proxy(url)) {
            (Some(client), Some(_)) => client,
            _ => &self.direct,
        }
    }

    /// Limits of an answer with this many tokens.
    pub fn answer_limits(&self, max_new_tokens: usize) -> AnswerLimits {
        self.retry.answer_limits(max_new_tokens)
    }

    pub fn proxy(&self, url: &str) -> Option<&str> {
        let known = self.proxies.iter().find(|(known, _)| known == url);
        known.map(|(_, proxy)| proxy.as_str())
    }

    /// Notices about servers that are reached through a proxy.
    pub fn notices(&self) -> Vec<ServerNotice> {
        let proxied = self.proxies.iter().map(|(url, proxy)| ServerNotice::Proxy {
            url: url.clone(),
            proxy: proxy.clone(),
        });
        proxied.collect()
    }

    /// Whether the server responds at all. Any status but 5xx counts, since many servers require a key
    /// or do not list models.
    pub async fn answers(&self, url: String) -> bool {
        match self.list_models(&url).await {
            Ok(response) => !response.status().is_server_error(),
            Err(_) => false,
        }
    }

    /// Checks the servers at the start. An untrusted certificate and a URL without an API are errors,
    /// since waiting would not help. An unreachable server is an error only if all are unreachable and
    /// `wait` is off.
    pub fn check_servers(&self, wait: bool) -> Result<()> {
        let mut unreachable = Vec::new();
        for url in &self.urls {
            match self.runtime.block_on(self.list_models(url)) {
                Ok(response) if response.status() == reqwest::StatusCode::NOT_FOUND => {
                    if let Some(other) = self.runtime.block_on(self.api_below(url)) {
                        let words = format!("no API at {url}, but at {other}");
                        return Err(Error::new(ErrorKind::Network, words)
                            .with_hint(format!("use --endpoint {other}")));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let words = format!("{url}: {}", self.describe(url, describe_error(&error)));
                    if certificate_error(&error).is_some() {
                        return Err(Error::new(ErrorKind::Network, words));
                    }
                    if error.is_connect() {
                        unreachable.push(words);
                    }
                }
            }
        }
        if wait || unreachable.len() < self.urls.len() {
            return Ok(());
        }
        let words = format!("no server answers: {}", unreachable.join("; "));
        Err(Error::new(ErrorKind::Network, words)
            .with_hint("start it, check the URL, or add --wait to wait for it"))
    }

    /// Returns the URL of the API if `url` lacks its path.
    pub async fn api_below(&self, url: &str) -> Option<String> {
        let below = format!("{url}/v1");
        let answer = self.client(url).get(format!("{below}/models"));
        let answer = answer.timeout(self.retry.connect).send().await.ok()?;
        let exists = answer.status().is_success() || matches!(answer.status().as_u16(), 401 | 403);
        exists.then_some(below)
    }

    async fn list_models(&self, url: &str) -> reqwest::Result<reqwest::Response> {
        let request = self.client(url).get(format!("{url}/models"));
        request.timeout(self.retry.connect).send().await
    }

    /// Redacts the key in a text from a server.
    pub fn without_key(&self, words: &str) -> String {
        match self.secret() {
            Some(key) => words.replace(key, "[key]"),
            None => words.to_owned(),
        }
    }

    /// Whether a text contains the key.
    pub fn contains_key(&self, text: &str) -> bool {
        self.secret().is_some_and(|key| text.contains(key))
    }

    /// The key, unless it is a placeholder for a server without keys.
    fn secret(&self) -> Option<&str> {
        let key = self.key.as_ref()?.expose();
        (key.len() >= MIN_KEY_BYTES).then_some(key)
    }

    /// Formats an error of a server for the user: redacts the key, and adds the proxy, which may be the
    /// one that responded.
    pub fn describe(&self, url: &str, error: ServerError) -> ServerError {
        let error = error.redacted(&|text| self.without_key(text));
        match self.proxy(url) {
            Some(proxy) => ServerError::Through {
                proxy: proxy.to_owned(),
                error: Box::new(error),
            },
            None => error,
        }
    }
}

/// Builds a client that sends the key, and never follows a redirect to another host.
fn builder(
    plain: bool,
    key: Option<&Secret>,
    retry: &RetryPolicy,
) -> Result<reqwest::ClientBuilder> {
    let mut headers = reqwest::header::HeaderMap::new();
    if let Some(key) = key {
        let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| {
                Error::new(
                    ErrorKind::Usage,
                    "LABELER_API_KEY contains characters that are invalid in a header",
                )
            })?;
        value.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    let same_host_only = reqwest::redirect::Policy::custom(|attempt| {
        let first = attempt.previous().first();
        let same = first.is_some_and(|first| is_same_host(first, attempt.url()));
        if same && attempt.previous().len() < 5 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .redirect(same_host_only)
        .connect_timeout(retry.connect)
        .read_timeout(retry.read_timeout)
        .user_agent(concat!("labeler-tui/", env!("CARGO_PKG_VERSION")));
    if plain {
        builder = builder.tls_certs_only([]);
    }
    Ok(builder)
}

/// Whether two URLs have the same scheme, host and port.
pub fn is_same_host(one: &reqwest::Url, other: &reqwest::Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| {
        let words = format!("cannot set up https: {}", describe_error(&error));
        Error::new(ErrorKind::Network, words).with_hint(
            "install the system's CA certificates (often the package ca-certificates), or set \
             SSL_CERT_FILE to a PEM file of them",
        )
    })
}

/// Limits for the body of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerLimits {
    bytes: usize,
    time: Duration,
    /// After this time an answer is slow.
    slow: Duration,
}

impl RetryPolicy {
    /// Limits of an answer with this many tokens.
    pub fn answer_limits(&self, max_new_tokens: usize) -> AnswerLimits {
        let tokens = u32::try_from(max_new_tokens).unwrap_or(u32::MAX);
        AnswerLimits {
            bytes: MIN_ANSWER_LIMIT.max(max_new_tokens.saturating_mul(MAX_TOKEN_BYTES)),
            time: self.body_time + self.per_token.saturating_mul(tokens),
            slow: self.body_time,
        }
    }
}

/// Reads a body within its limits. `on_slow` gets the number of bytes received so far.
pub async fn read_body(
    response: reqwest::Response,
    limits: AnswerLimits,
    on_slow: impl FnOnce(usize),
) -> Result<Vec<u8>, ServerError> {
    let received = Cell::new(0);
    let mut body = pin!(read_bytes(response, limits.bytes, &received));
    if let Ok(bytes) = timeout(limits.slow, &mut body).await {
        return bytes;
    }
    on_slow(received.get());
    let rest = limits.time.saturating_sub(limits.slow);
    timeout(rest, body).await.unwrap_or_else(|_| {
        Err(ServerError::TooSlow {
            bytes: received.get(),
            seconds: limits.time.as_secs_f64().round() as u64,
        })
    })
}

async fn read_bytes(
    response: reqwest::Response,
    limit: usize,
    received: &Cell<usize>,
) -> Result<Vec<u8>, ServerError> {
    let mebibytes = limit >> 20;
    let too_long = || Err(ServerError::TooLong { mebibytes });
    if response
        .content_length()
        .is_some_and(|length| length > limit as u64)
    {
        return too_long();
    }
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| describe_error(&error))?;
        if bytes.len() + chunk.len() > limit {
            return too_long();
        }
        bytes.extend_from_slice(&chunk);
        received.set(bytes.len());
    }
    Ok(bytes)
}

/// Formats an error by its innermost cause, since the outer ones only repeat the URL.
pub fn describe_error(error: &reqwest::Error) -> ServerError {
    if error.is_timeout() {
        return ServerError::Timeout;
    }
    if let Some(error) = certificate_error(error) {
        return error;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    ServerError::Other(cause.to_string())
}

/// Describes the problem with a server's certificate, if it is the cause of the error.
fn certificate_error(error: &reqwest::Error) -> Option<ServerError> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    let tls_error = loop {
        if let Some(tls_error) = cause.downcast_ref::<rustls::Error>() {
            break tls_error;
        }
        cause = match cause.downcast_ref::<std::io::Error>() {
            // `source` skips the wrapped error.
            Some(wrapper) => wrapper.get_ref()?,
            None => cause.source()?,
        };
    };
    match tls_error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            Some(ServerError::UntrustedCertificate)
        }
        rustls::Error::InvalidCertificate(error) => Some(ServerError::InvalidCertificate {
            why: error.to_string(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_url_with_the_path_of_a_request_suggests_the_base_url() {
        for path in [
            "/chat/completions",
            "/chat/completions/",
            "/completions",
            "/models",
        ] {
            let error = base_url(&format!("http://a:8000/v1{path}")).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            assert_eq!(
                error.hint.as_deref(),
                Some("use --endpoint http://a:8000/v1")
            );
        }
    }

    #[test]
    fn a_base_url_is_http_without_secrets() {
        assert_eq!(base_url("http://a:8000/v1/").unwrap(), "http://a:8000/v1");
        assert_eq!(base_url("HTTPS://[::1]/v1").unwrap(), "https://[::1]/v1");
        for bad in [
            "host:8000",
            "ftp://host/v1",
            "",
            "http://",
            "http://a/v1?k=1",
        ] {
            let error = base_url(bad).unwrap_err();
            assert_eq!(error.exit_status(), 2, "{bad}");
        }
        let error = base_url("https://me:hunter2@host/v1").unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"));
        assert!(error.hint.unwrap().contains("LABELER_API_KEY"));
    }
}
