"""The Twinkle protocol: its stock client trains, samples and loads data here, as it is."""
