//! Incidents and alerts of Microsoft Defender as typed views over the XDR and Graph APIs.
