"""What people say of guardrails: jobs that are held until somebody has looked, and feedback on what was found."""
