//! Shared by every use of a server: the client, its limits, and the key, which is never shown.

use super::proxy;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::labeler::ServerNotice;
use crate::settings::{RemoteOptions, Secret};
use futures_util::StreamExt as _;
use rustls::CertificateError;
use std::time::Duration;

/// A longer answer is an error of the server.
const LONGEST_ANSWER: usize = 1 << 20;
/// What a token with its probability takes in an answer, at most.
const BYTES_OF_TOKEN: usize = 512;
/// Anything shorter is no key that somebody could not guess: `EMPTY`, `none`.
const SHORTEST_KEY: usize = 8;

/// Waiting times and numbers of tries; the defaults are for real servers.
#[derive(Debug, Clone)]
pub struct Patience {
    pub connect: Duration,
    /// Longest silence of a server within an answer. A busy CPU server thinks for minutes.
    pub silence: Duration,
    /// The longest time of one answer. A server may have queued the request for long.
    pub answer: Duration,
    /// First wait before a repetition; doubles each time, with jitter.
    pub backoff: Duration,
    pub longest_backoff: Duration,
    /// Broken answers (5xx, 408, 409, cut connections, timeouts) that one item may meet.
    pub tries: u32,
    /// Times that one item may be asked to come later (429).
    pub queuing: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(600),
            answer: Duration::from_secs(2 * 3600),
            backoff: Duration::from_millis(500),
            longest_backoff: Duration::from_secs(30),
            tries: 8,
            queuing: 100,
        }
    }
}

/// The base address of an API without its last slash, for example `http://host:8000/v1`.
///
/// # Errors
/// For anything but an http or https address, and for one with a password, a query or a fragment.
pub fn base_url(text: &str) -> Result<String> {
    let usage = |what: &str| Error::new(ErrorKind::Usage, format!("--endpoint {what}"));
    let example = "for example --endpoint http://localhost:8000/v1";
    let url = reqwest::Url::parse(text)
        .map_err(|error| usage(&format!("{text:?} is no address: {error}")).with_hint(example))?;
    // An address is shown and logged, so none of it may be secret.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(usage("holds a user name or password")
            .with_hint("a key goes into LABELER_API_KEY, which is never shown"));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(usage(&format!("{text:?} is not an http or https address")).with_hint(example));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(usage("must end with the path of the API").with_hint(example));
    }
    let base = url.as_str().trim_end_matches('/');
    for path in ["/chat/completions", "/completions", "/models"] {
        if let Some(base) = base.strip_suffix(path) {
            let cause = usage(&format!("ends in {path}, which is added to every address"));
            return Err(cause.with_hint(format!("give --endpoint {base}")));
        }
    }
    Ok(base.to_owned())
}

/// Sends requests, and waits for the answers on the calling thread.
pub struct Http {
    direct: reqwest::Client,
    /// For the servers that have a proxy.
    through_proxy: Option<reqwest::Client>,
    /// Base addresses with their proxies.
    proxies: Vec<(String, String)>,
    pub runtime: tokio::runtime::Runtime,
    /// Base addresses of the servers, without a slash at their ends.
    pub urls: Vec<String>,
    key: Option<Secret>,
    connect: Duration,
}

impl Http {
    /// # Errors
    /// With `--offline`, for an invalid address, for a proxy that is not supported, and for a key
    /// that no header can carry.
    pub fn new(options: &RemoteOptions, patience: &Patience) -> Result<Self> {
        if options.offline {
            return Err(
                Error::new(ErrorKind::Usage, "--endpoint cannot be used with --offline")
                    .with_hint("leave one of them out"),
            );
        }
        let urls = options.endpoints.iter().map(|url| base_url(url));
        let urls: Vec<String> = urls.collect::<Result<_>>()?;
        let mut proxies = Vec::new();
        for url in &urls {
            let address = reqwest::Url::parse(url)
                .map_err(|error| Error::new(ErrorKind::Usage, format!("{url}: {error}")))?;
            proxies.extend(proxy::of(&address)?.map(|proxy| (url.clone(), proxy)));
        }
        let all = urls.iter().chain(proxies.iter().map(|(_, proxy)| proxy));
        // A small container has no certificates of authorities, and plain http wants none.
        let plain = all.into_iter().all(|url| url.starts_with("http:"));
        let builder = || builder(plain, options.api_key.as_ref(), patience);
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
                .context(ErrorKind::Internal, "cannot start the network's runtime")?,
            urls,
            key: options.api_key.clone(),
            connect: patience.connect,
        })
    }

    /// The client that reaches the server at this base address.
    pub fn client(&self, url: &str) -> &reqwest::Client {
        match (&self.through_proxy, self.proxy(url)) {
            (Some(client), Some(_)) => client,
            _ => &self.direct,
        }
    }

    pub fn proxy(&self, url: &str) -> Option<&str> {
        let known = self.proxies.iter().find(|(known, _)| known == url);
        known.map(|(_, proxy)| proxy.as_str())
    }

    /// The servers that are reached through a proxy.
    pub fn notices(&self) -> Vec<ServerNotice> {
        let proxied = self.proxies.iter().map(|(url, proxy)| ServerNotice::Proxy {
            url: url.clone(),
            proxy: proxy.clone(),
        });
        proxied.collect()
    }

    /// Whether the server answers at all: many require a key or have no list of models.
    pub async fn answers(&self, url: String) -> bool {
        match self.list_models(&url).await {
            Ok(response) => !response.status().is_server_error(),
            Err(_) => false,
        }
    }

    /// The first look at the servers. A certificate that is not trusted and an address without an
    /// API stay so, and no run should wait for them. A server that is not there may come back, but
    /// where none is, something else is wrong more often than not.
    pub fn first_look(&self, wait: bool) -> Result<()> {
        let mut absent = Vec::new();
        for url in &self.urls {
            match self.runtime.block_on(self.list_models(url)) {
                Ok(response) if response.status() == reqwest::StatusCode::NOT_FOUND => {
                    if let Some(other) = self.runtime.block_on(self.api_below(url)) {
                        let words = format!("{url} has no API, {other} has");
                        return Err(Error::new(ErrorKind::Network, words)
                            .with_hint(format!("give --endpoint {other}")));
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let words = format!("{url}: {}", self.words(url, &error_words(&error)));
                    if certificate_fault(&error).is_some() {
                        return Err(Error::new(ErrorKind::Network, words));
                    }
                    if error.is_connect() {
                        absent.push(words);
                    }
                }
            }
        }
        if wait || absent.len() < self.urls.len() {
            return Ok(());
        }
        let words = format!("no server answers: {}", absent.join("; "));
        Err(Error::new(ErrorKind::Network, words)
            .with_hint("start it, check the address, or add --wait to wait for it"))
    }

    /// The address of the API where somebody gave that of its server.
    pub async fn api_below(&self, url: &str) -> Option<String> {
        let below = format!("{url}/v1");
        let answer = self.client(url).get(format!("{below}/models"));
        let answer = answer.timeout(self.connect).send().await.ok()?;
        let is_there =
            answer.status().is_success() || matches!(answer.status().as_u16(), 401 | 403);
        is_there.then_some(below)
    }

    async fn list_models(&self, url: &str) -> reqwest::Result<reqwest::Response> {
        let request = self.client(url).get(format!("{url}/models"));
        request.timeout(self.connect).send().await
    }

    /// Removes the key from the words of a server that repeats it.
    pub fn without_key(&self, words: &str) -> String {
        match &self.key {
            Some(key) if !key.expose().is_empty() => words.replace(key.expose(), "[key]"),
            _ => words.to_owned(),
        }
    }

    /// Whether a text holds the key; a placeholder, for servers without keys, is none.
    pub fn holds_key(&self, text: &str) -> bool {
        let key = self.key.as_ref().map_or("", Secret::expose);
        key.len() >= SHORTEST_KEY && text.contains(key)
    }

    /// What happened at a server, for people: without the key, and with the proxy that may be the
    /// one who speaks.
    pub fn words(&self, url: &str, words: &str) -> String {
        let words = self.without_key(words);
        match self.proxy(url) {
            Some(proxy) => format!("{words} (through the proxy {proxy})"),
            None => words,
        }
    }
}

/// A client that sends the key, and never to another host than the one it is for.
fn builder(
    plain: bool,
    key: Option<&Secret>,
    patience: &Patience,
) -> Result<reqwest::ClientBuilder> {
    let mut headers = reqwest::header::HeaderMap::new();
    if let Some(key) = key {
        let mut value = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", key.expose()))
            .map_err(|_| {
                Error::new(
                    ErrorKind::Usage,
                    "LABELER_API_KEY holds characters that no header can carry",
                )
            })?;
        value.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    let same_host_only = reqwest::redirect::Policy::custom(|attempt| {
        let same = attempt.previous().first().is_some_and(|first| {
            first.scheme() == attempt.url().scheme()
                && first.host_str() == attempt.url().host_str()
                && first.port_or_known_default() == attempt.url().port_or_known_default()
        });
        if same && attempt.previous().len() < 5 {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    let mut builder = reqwest::Client::builder()
        .default_headers(headers)
        .redirect(same_host_only)
        .connect_timeout(patience.connect)
        .read_timeout(patience.silence)
        .user_agent(concat!("labeler-tui/", env!("CARGO_PKG_VERSION")));
    if plain {
        builder = builder.tls_certs_only([]);
    }
    Ok(builder)
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| {
        let words = format!("cannot set up https: {}", error_words(&error));
        Error::new(ErrorKind::Network, words).with_hint(
            "install the system's certificates of authorities (often the package \
             ca-certificates), or name a PEM file of them with SSL_CERT_FILE",
        )
    })
}

/// How many bytes an answer of so many tokens may have.
pub fn longest_answer(max_new_tokens: usize) -> usize {
    LONGEST_ANSWER.max(max_new_tokens * BYTES_OF_TOKEN)
}

/// The whole body, of at most `limit` bytes; the error is in words for people.
pub async fn read_body(response: reqwest::Response, limit: usize) -> Result<Vec<u8>, String> {
    let too_long = || Err(format!("an answer of over {} MiB", limit >> 20));
    if response
        .content_length()
        .is_some_and(|length| length > limit as u64)
    {
        return too_long();
    }
    let mut bytes = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| error_words(&error))?;
        if bytes.len() + chunk.len() > limit {
            return too_long();
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The innermost cause says what happened; the outer ones repeat the address.
pub fn error_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    if let Some(words) = certificate_fault(error) {
        return words;
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The error of the server's certificate, if that is why there is no connection.
fn certificate_fault(error: &reqwest::Error) -> Option<String> {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    let fault = loop {
        if let Some(fault) = cause.downcast_ref::<rustls::Error>() {
            break fault;
        }
        cause = match cause.downcast_ref::<std::io::Error>() {
            // What it wraps is not its source.
            Some(wrapper) => wrapper.get_ref()?,
            None => cause.source()?,
        };
    };
    match fault {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Some(
            "no authority that is trusted here has signed its certificate; add the one that has \
             to the system's, or on Linux name its PEM file with SSL_CERT_FILE"
                .to_owned(),
        ),
        rustls::Error::InvalidCertificate(fault) => {
            Some(format!("its certificate is refused: {fault}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_the_path_of_a_request_is_answered_with_the_right_one() {
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
                Some("give --endpoint http://a:8000/v1")
            );
        }
    }

    #[test]
    fn an_address_is_http_and_holds_nothing_secret() {
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
