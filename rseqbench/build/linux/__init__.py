"""The Linux kernel that a guest runs: fetched or built, its modules, and the initramfs it starts with."""
