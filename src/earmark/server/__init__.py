"""The server behind `earmark serve`: recordings, jobs, timelines and what a page shows of them."""
