//! A lenient JSON reader for model output. It accepts text around the object, missing or trailing
//! commas, Python quotes and keywords, and a missing end, and records the position of each text.

use std::ops::Range;

/// Maximum nesting depth; more than any record has.
const MAX_DEPTH: usize = 8;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(Text),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Bool(bool),
    Null,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub value: String,
    /// Byte range between the quotes in the source.
    pub span: Range<usize>,
    /// Whether the closing quote is present.
    pub whole: bool,
}

impl Node {
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(entries) => entries
                .iter()
                .find(|(name, _)| name.trim().eq_ignore_ascii_case(key))
                .map(|(_, node)| node),
            _ => None,
        }
    }
}

pub(super) struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    /// Whether the text ended inside the object.
    pub cut: bool,
    /// Whether the text is not valid JSON.
    pub repaired: bool,
    too_deep: bool,
}

impl<'a> JsonReader<'a> {
    /// Reads the object or array that starts at byte `at`.
    pub fn read(text: &'a str, at: usize) -> (Option<Node>, Self) {
        let mut reader = Self {
            text,
            at,
            cut: false,
            repaired: false,
            too_deep: false,
        };
        let node = reader.value(0).filter(|_| !reader.too_deep);
        if !reader.text[reader.at..].trim().is_empty() {
            reader.repaired = true;
        }
        (node, reader)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.take();
        }
    }

    /// Reads a value. `None` at the end of the text, or if nesting is too deep.
    fn value(&mut self, depth: usize) -> Option<Node> {
        self.skip_blanks();
        if depth > MAX_DEPTH {
            self.too_deep = true;
            return None;
        }
        let Some(first) = self.peek() else {
            self.cut = true;
            return None;
        };
        match first {
            '{' => {
                self.take();
                Some(self.map(depth))
            }
            '[' => {
                self.take();
                Some(self.list(depth))
            }
            '"' | '\'' | '“' => {
                self.take();
                Some(Node::Text(self.string(first)))
            }
            _ => Some(self.bare()),
        }
    }

    /// Skips commas and returns the first character of the next entry without consuming it. `None`
    /// at the end of the text or at `close`, which is consumed.
    fn next_entry(&mut self, close: char) -> Option<char> {
        loop {
            self.skip_blanks();
            match self.peek() {
                None => {
                    self.cut = true;
                    return None;
                }
                Some(',') => {
                    self.take();
                    self.skip_blanks();
                    self.repaired |= matches!(self.peek(), Some(',' | ']' | '}'));
                }
                Some(c) if c == close => {
                    self.take();
                    return None;
                }
                first => return first,
            }
        }
    }

    fn list(&mut self, depth: usize) -> Node {
        let mut nodes = Vec::new();
        while let Some(first) = self.next_entry(']') {
            if matches!(first, '}' | ':') {
                self.repaired = true;
                break;
            }
            match self.value(depth + 1) {
                Some(node) => nodes.push(node),
                None => break,
            }
        }
        Node::List(nodes)
    }

    fn map(&mut self, depth: usize) -> Node {
        let mut entries = Vec::new();
        while let Some(first) = self.next_entry('}') {
            match first {
                ']' | ':' => {
                    self.take();
                    self.repaired = true;
                }
                quote @ ('"' | '\'' | '“') => {
                    self.take();
                    let key = self.string(quote).value;
                    self.entry(key, depth, &mut entries);
                }
                _ => {
                    self.repaired = true;
                    let from = self.at;
                    while self
                        .peek()
                        .is_some_and(|c| !matches!(c, ':' | ',' | '{' | '}' | '[' | ']' | '"'))
                    {
                        self.take();
                    }
                    if self.at == from {
                        self.take();
                        continue;
                    }
                    let key = self.text[from..self.at].trim().to_string();
                    self.entry(key, depth, &mut entries);
                }
            }
            if self.too_deep {
                break;
            }
        }
        Node::Map(entries)
    }

    /// Reads the value after a key. A key without a value is dropped.
    fn entry(&mut self, key: String, depth: usize, entries: &mut Vec<(String, Node)>) {
        self.skip_blanks();
        match self.peek() {
            Some(':') => {
                self.take();
            }
            None => {
                self.cut = true;
                return;
            }
            Some(',' | '}' | ']') => {
                self.repaired = true;
                return;
            }
            Some(_) => self.repaired = true,
        }
        self.skip_blanks();
        if let Some(',' | '}' | ']' | ':') = self.peek() {
            self.repaired = true;
        } else if let Some(node) = self.value(depth + 1) {
            entries.push((key, node));
        }
    }

    /// Reads a text after its opening quote. A quote ends the text only if valid JSON can follow,
    /// so quoted words inside the text do not.
    fn string(&mut self, quote: char) -> Text {
        let close = if quote == '“' { '”' } else { quote };
        self.repaired |= quote != '"';
        let start = self.at;
        let mut value = String::new();
        loop {
            let here = self.at;
            match self.take() {
                None => {
                    self.cut = true;
                    return Text {
                        value,
                        span: start..here,
                        whole: false,
                    };
                }
                Some('\\') => self.escape(&mut value),
                Some(c) if c == close => {
                    let next = self.text[self.at..].trim_start().chars().next();
                    if matches!(next, None | Some(',' | ':' | ']' | '}')) {
                        return Text {
                            value,
                            span: start..here,
                            whole: true,
                        };
                    }
                    // The comma between two texts may be missing.
                    if next == Some('"') && c == '"' {
                        self.repaired = true;
                        return Text {
                            value,
                            span: start..here,
                            whole: true,
                        };
                    }
                    self.repaired = true;
                    value.push(c);
                }
                Some(c) => {
                    self.repaired |= c.is_control();
                    value.push(c);
                }
            }
        }
    }

    fn escape(&mut self, value: &mut String) {
        match self.take() {
            None => self.cut = true,
            Some('n') => value.push('\n'),
            Some('t') => value.push('\t'),
            Some('r') => value.push('\r'),
            Some('b') => value.push('\u{8}'),
            Some('f') => value.push('\u{c}'),
            Some('u') => {
                let Some(first) = self.hex() else { return };
                let low = (0xdc00..0xe000).contains(&first);
                if (0xd800..0xdc00).contains(&first) {
                    let back = self.at;
                    if self.text[self.at..].starts_with("\\u") {
                        self.at += 2;
                        if let Some(second) = self.hex()
                            && (0xdc00..0xe000).contains(&second)
                        {
                            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                            value.extend(char::from_u32(code));
                            return;
                        }
                        self.at = back;
                    }
                    self.repaired = true;
                } else if low {
                    self.repaired = true;
                } else {
                    value.extend(char::from_u32(first));
                }
            }
            Some(c) => {
                self.repaired |= !matches!(c, '"' | '\\' | '/');
                value.push(c);
            }
        }
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            self.repaired = true;
            self.cut |= self.text.len() < self.at + 4;
            return None;
        };
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// Reads a value without quotes: a keyword of JSON or Python, a number, or an unquoted text.
    fn bare(&mut self) -> Node {
        let start = self.at;
        self.take();
        while self
            .peek()
            .is_some_and(|c| !matches!(c, ',' | ']' | '}' | '"' | '\n'))
        {
            self.take();
        }
        self.repaired |= self.peek() == Some('"');
        let raw = &self.text[start..self.at];
        let value = raw.trim_end();
        match value {
            "null" => return Node::Null,
            "true" => return Node::Bool(true),
            "false" => return Node::Bool(false),
            _ => {}
        }
        let whole = self.peek().is_some();
        self.cut |= !whole;
        if value.parse::<f64>().is_ok() {
            return Node::Null;
        }
        self.repaired = true;
        match value.to_ascii_lowercase().as_str() {
            "none" | "null" | "nan" => Node::Null,
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            _ => Node::Text(Text {
                value: value.to_string(),
                span: start..start + value.len(),
                whole,
            }),
        }
    }
}
