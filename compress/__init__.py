"""The compression tool chain of dssr: networks as graphs, training, quantisation, export, evaluation."""
