"""The contracts: what is published, what the template promises, what the code keeps to."""
