"""What a trained ladder has to show: the climb, and the reports made from runs. Results go to the workspace."""
