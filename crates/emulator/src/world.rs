//! The simulated company, its devices, users, incidents and alerts.
