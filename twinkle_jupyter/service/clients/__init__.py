"""What programs train that count their own steps, whichever protocol they speak."""
