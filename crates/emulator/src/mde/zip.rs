//! Writes archives without compression (PKWARE's APPNOTE.TXT 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16).

/// An archive with these files, by name and content.
pub(super) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let offset = size(archive.len());
        archive.extend(LOCAL_HEADER);
        archive.extend(common(name, content));
        archive.extend(name.as_bytes());
        archive.extend(*content);
        directory.extend(DIRECTORY_HEADER);
        directory.extend(VERSION);
        directory.extend(common(name, content));
        // Comment length, disk, internal attributes: 2 bytes each; external attributes: 4.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = size(archive.len());
    archive.extend(&directory);
    archive.extend(END_HEADER);
    archive.extend([0; 4]);
    let count = u16::try_from(files.len()).unwrap_or(u16::MAX).to_le_bytes();
    archive.extend([count, count].concat());
    archive.extend(size(directory.len()).to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// The part of a header that stands in both places: from the version needed to the length of the extra field.
fn common(name: &str, content: &[u8]) -> Vec<u8> {
    let mut fields = VERSION.to_vec();
    // Flags: UTF-8 names. Method: stored. Time and date: 1980-01-01.
    fields.extend([0, 8, 0, 0, 0, 0, 0x21, 0]);
    fields.extend(crc32(content).to_le_bytes());
    fields.extend(size(content.len()).to_le_bytes());
    fields.extend(size(content.len()).to_le_bytes());
    fields.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    fields.extend([0; 2]);
    fields
}

fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn crc32(bytes: &[u8]) -> u32 {
    let table_free = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(u32::MAX, table_free)
}

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DIRECTORY_HEADER: [u8; 4] = *b"PK\x01\x02";
const END_HEADER: [u8; 4] = *b"PK\x05\x06";
const VERSION: [u8; 2] = [20, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_directory_lies_where_the_end_says() {
        let archive = zip(&[("a.txt", b"one"), ("b/c.txt", b"two and more")]);
        let end = archive.len() - 22;
        assert_eq!(archive[end..end + 4], END_HEADER);
        assert_eq!(archive[end + 10..end + 12], [2, 0]);
        let start = u32::from_le_bytes(archive[end + 16..end + 20].try_into().unwrap()) as usize;
        assert_eq!(archive[start..start + 4], DIRECTORY_HEADER);
        assert_eq!(start, 30 + 5 + 3 + 30 + 7 + 12);
    }
}
