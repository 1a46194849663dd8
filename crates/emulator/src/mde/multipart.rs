//! Reads `multipart/form-data` (RFC 7578, with the framing of RFC 2046 section 5.1).

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub content: Vec<u8>,
}

/// The fields of a body; `None` where it is none of this type.
pub(super) fn parts(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let mut rest = &body[find(body, delimiter.as_bytes())? + delimiter.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let start = rest.strip_prefix(b"\r\n")?;
        let end = find(start, format!("\r\n{delimiter}").as_bytes())?;
        parts.push(part(&start[..end])?);
        rest = &start[end + 2 + delimiter.len()..];
    }
    Some(parts)
}

fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary")
}

fn part(bytes: &[u8]) -> Option<Part> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (_, parameters) = disposition.split_once(';')?;
    Some(Part {
        name: parameter(parameters, "name")?.to_owned(),
        file_name: parameter(parameters, "filename").map(str::to_owned),
        content: bytes[end + 4..].to_vec(),
    })
}

fn parameter<'t>(parameters: &'t str, wanted: &str) -> Option<&'t str> {
    parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_told_apart() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"Description\"\r\n\r\nlists\r\n--x\r\n\
            content-disposition: form-data; name=\"File\"; filename=\"a.ps1\"\r\nContent-Type: text/plain\r\n\r\n\
            one\r\n\r\ntwo\r\n--x--\r\n";
        let found = parts("multipart/form-data; boundary=\"x\"", body).unwrap();
        assert_eq!((found[0].name.as_str(), &found[0].file_name), ("Description", &None));
        assert_eq!(
            (found[1].file_name.as_deref(), found[1].content.as_slice()),
            (Some("a.ps1"), &b"one\r\n\r\ntwo"[..])
        );
    }

    #[test]
    fn what_is_no_form_is_none() {
        for (kind, body) in [
            ("application/json", "{}"),
            ("multipart/form-data", "--x--"),
            ("multipart/form-data; boundary=x", "--x\r\nno end"),
            ("multipart/form-data; boundary=x", "--x\r\nno head\r\n--x--"),
            ("multipart/form-data; boundary=x", ""),
        ] {
            assert_eq!(parts(kind, body.as_bytes()), None, "{body}");
        }
        assert_eq!(parts("multipart/form-data; boundary=x", b"--x--"), Some(Vec::new()));
    }
}
